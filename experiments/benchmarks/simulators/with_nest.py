"""NEST on the networks of the benchmark, as near to the Brian2 text as its own models allow.

What is not the same: NEST's delays are whole steps, one at least; ``iaf_cond_exp`` and ``hh_cond_exp_traub``
are integrated by an adaptive Runge-Kutta method; ``stdp_synapse`` pairs spikes after a dendritic delay. The neurons
``iaf_psc_exp_ps`` fire between the steps.

References
----------
.. [1] M.-O. Gewaltig, M. Diesmann, "NEST (NEural Simulation Tool)", Scholarpedia 2:1430 (2007).
"""

import numpy as np

from experiments.benchmarks.simulators.line import Line, Watch, peak_memory
from experiments.benchmarks.simulators.task import Task, parsed

_CONDUCTANCES = {
    **{"C_m": 200.0, "g_L": 10.0, "E_L": -60.0, "E_ex": 0.0, "E_in": -80.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0}
}
_CURRENTS = (
    {
        **{"C_m": 200.0, "tau_m": 20.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0},
        **{"V_th": -50.0, "V_reset": -60.0, "E_L": -49.0, "t_ref": 5.0},
    },
    (1.62 * 10.0, -9.0 * 10.0),  # a jump of 1 mV in g is a current of C/tau_m = 10 pA
)
_MODELS = {
    "cuba": ("iaf_psc_exp", *_CURRENTS),
    "cuba_delayed": ("iaf_psc_exp_ps", *_CURRENTS),
    "cuba_delays": ("iaf_psc_exp_ps", *_CURRENTS),
    "coba": ("iaf_cond_exp", {**_CONDUCTANCES, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0}, (6.0, -67.0)),
    "cobahh": (
        "hh_cond_exp_traub",
        {**_CONDUCTANCES, "g_Na": 20e3, "g_K": 6e3, "E_Na": 50.0, "E_K": -90.0, "V_T": -63.0, "t_ref": 3.0},
        (6.0, -67.0),
    ),
}


def main() -> None:
    """Prepare the network, then take turns."""
    task, line, watch = parsed(), Line(), Watch()
    try:
        import nest
    except ImportError as error:
        line.say(absent=f"cannot be imported: {error}; get it with: pip install nest-simulator")
        return
    ready = {"version": f"NEST {nest.__version__}", "import_s": watch.wall()}
    turns = _Turns(task, nest)
    line.say(ready=ready | turns.prepared)
    line.serve(turns.take)


class _Turns:
    """A network in NEST's kernel."""

    def __init__(self, task: Task, nest) -> None:
        self._task, self._nest, self._seed = task, nest, 0
        nest.verbosity = nest.VerbosityLevel.ERROR
        watch = Watch()
        self._build()
        self.prepared = {"build_s": watch.wall()}
        watch = Watch()
        self._start()
        self.prepared["compile_s"] = watch.wall()
        self._used = False

    def _build(self) -> None:
        nest, task = self._nest, self._task
        self._seed += 1
        nest.ResetKernel()
        nest.local_num_threads = task.threads or 1
        nest.resolution = 0.1
        nest.rng_seed = self._seed
        build = {"brunel": _brunel, "stdp": _stdp}.get(task.network, _recurrent)
        self._cells = build(nest, task, np.random.default_rng(self._seed))
        self._spikes = nest.Create("spike_recorder")
        nest.Connect(self._cells, self._spikes)

    def _start(self) -> None:
        self._nest.Prepare()
        if self._task.settle and not self._task.once:
            self._nest.Run(self._task.settle * 1e3)

    def take(self) -> dict:
        """Run once and return what was measured."""
        turn = Watch()
        if self._task.fresh and self._used:
            self._nest.Cleanup()
            self._build()
            self._start()
        self._used = True
        before = self._spikes.n_events
        watch = Watch()
        self._nest.Run(self._task.seconds * 1e3)
        wall = watch.wall()
        return self._task.result(
            self._spikes.n_events - before,
            len(self._cells),
            simulate_s=wall,
            call_s=wall,
            cpu_s=turn.cpu(),
            memory_mib=peak_memory(),
        )


def _recurrent(nest, task: Task, random: np.random.Generator):
    """CUBA, COBA and COBAHH: four fifths excitatory, 80 inputs to a cell in the mean."""
    model, parameters, weights = _MODELS[task.network]
    n = task.n
    cells = nest.Create(model, n, params=parameters)
    cells.V_m = random.uniform(-60.0, -50.0, n) if "cuba" in task.network else random.normal(-65.0, 5.0, n)
    if task.network == "coba":
        cells.g_ex = random.normal(40.0, 15.0, n).clip(0.0)
        cells.g_in = random.normal(200.0, 120.0, n).clip(0.0)
    if task.network == "cobahh":  # its conductances cannot be set: input in the first 50 ms brings them up
        kick = nest.Create("poisson_generator", params={"rate": 1333.0, "stop": 50.0})
        nest.Connect(kick, cells, syn_spec={"weight": 6.0, "delay": 0.1})
    delays = {"cuba_delayed": 1.0, "cuba_delays": nest.random.uniform(1.0, 5.0)}
    delay = delays.get(task.network, 0.1)
    for sources, weight in zip((cells[: n * 4 // 5], cells[n * 4 // 5 :]), weights, strict=True):
        _connect(nest, sources, cells, {"rule": "pairwise_bernoulli", "p": 80 / n}, weight, delay)
    return cells


def _brunel(nest, task: Task, random: np.random.Generator):
    n_excitatory, n_inhibitory = task.n * 4 // 5, task.n // 5
    parameters = {"C_m": 1.0, "tau_m": 20.0, "t_ref": 2.0, "E_L": 0.0, "V_reset": 10.0, "V_m": 0.0, "V_th": 20.0}
    cells = nest.Create("iaf_psc_delta", task.n, params=parameters)
    populations = ((cells[:n_excitatory], n_excitatory, 0.1), (cells[n_excitatory:], n_inhibitory, -0.5))
    for sources, n_sources, weight in populations:
        rule = {"rule": "fixed_indegree", "indegree": n_sources // 10, "allow_multapses": False}
        _connect(nest, sources, cells, rule, weight, 1.5)
    drive = nest.Create("poisson_generator", params={"rate": 20e3})
    nest.Connect(drive, cells, syn_spec={"weight": 0.1, "delay": 1.5})
    return cells


def _connect(nest, sources, targets, rule: dict, weight: float, delay) -> None:
    """Connect by synapses that share one weight, which is the least NEST can store and the Brian2 text's meaning."""
    name = f"shared_{'excitatory' if weight > 0 else 'inhibitory'}"
    nest.CopyModel("static_synapse_hom_w", name, {"weight": weight})
    nest.Connect(sources, targets, rule, {"synapse_model": name, "delay": delay})


def _stdp(nest, task: Task, random: np.random.Generator):
    drive = nest.Create("poisson_generator", params={"rate": 15.0})
    inputs = nest.Create("parrot_neuron", task.n)
    nest.Connect(drive, inputs)
    parameters = {
        **{"C_m": 100.0, "g_L": 10.0, "E_L": -74.0, "V_th": -54.0, "V_reset": -60.0, "E_ex": 0.0, "t_ref": 0.1},
        **{"tau_syn_ex": 5.0, "tau_minus": 20.0, "V_m": -60.0},
    }
    cell = nest.Create("iaf_cond_exp", 1, params=parameters)
    # Weights are in units of the leak conductance in the Brian2 text: gmax = 0.01 is 0.1 nS here.
    rule = {"tau_plus": 20.0, "Wmax": 0.1, "mu_plus": 0.0, "mu_minus": 0.0, "lambda": 0.01, "alpha": 1.05}
    weights = 0.1 * (np.arange(task.n)[None, :] + 0.5) / task.n
    nest.Connect(inputs, cell, "all_to_all", {"synapse_model": "stdp_synapse", "weight": weights, "delay": 0.1, **rule})
    return cell


if __name__ == "__main__":
    main()
