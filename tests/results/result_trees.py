"""Trees to store."""

import numpy as np
import xarray

from bionet.random import Stream


def named(dims, values, units="1"):
    return xarray.Variable(dims, values, {"units": units, "long_name": f"what is measured along {dims}"})


def a_tree(seed, models=("MLP", "größtes ☃")):
    """A result of every kind: scores with text, bool, int, float, NaN; curves with float32; spikes; empty spikes."""
    stream = Stream(seed, "a tree")
    n = 5 + seed
    scores = xarray.Dataset(
        {
            "accuracy": named(("model", "probe"), stream.uniform((len(models), 3), 0)),
            "converged": named("model", np.arange(len(models)) % 2 == seed % 2),
            "sweeps": named("model", np.arange(len(models)) + seed),
            "remark": named("model", np.array(["schön" * (seed + 1)] * len(models))),
            "loss": named((), float(seed)),
        },
        coords={"model": named("model", np.array(models)), "labels": named("model", [True] * len(models))},
        attrs={"note": "Größe ☃", "n": 3, "levels": [0.5, 1.5]},
    )
    scores["accuracy"][-1] = np.nan
    curves = xarray.Dataset(
        {"accuracy": named(("noise",), stream.uniform(4, 1).astype(np.float32))},
        coords={"noise": named("noise", np.linspace(0, 1, 4))},
    )
    spikes = xarray.Dataset(
        {"t": named("spike", np.sort(stream.uniform(n, 2)), "s"), "i": named("spike", np.arange(n, dtype=np.int32))}
    )
    nothing = spikes.isel(spike=slice(0))
    groups = {"/scores": scores, "/curves/a/b": curves, "/spikes/hidden (e)": spikes, "/spikes/silent": nothing}
    return xarray.DataTree.from_dict(groups)
