"""What random scripts are made of: each of these occurs in some."""

_LIST = """
leaky; alpha; adapting; quadratic; izhikevich; exponential; conductance; hodgkin_huxley; resonator; phase; metronome

method by default; method exact; method exponential_euler; method euler; method rk2; method rk4; method heun
time constant in the equations; time constant outside; time constant per neuron
parameter; constant parameter; shared parameter; shared parameter that code changes
subexpression; subexpression constant over dt; TimedArray 1-d; TimedArray 2-d; functions
integer variable; boolean variable; linked variable; linked variable without index; no threshold
refractory; refractory for a time; refractory for a time per neuron; refractory on a condition; (unless refractory)
custom event; run_on_event; event schedule; run_regularly; network operation
clock of its own: neurons; clock of its own: generator; clock of its own: monitor; clock of its own: run_regularly
spike generator; generator with a period

one number for all; static weights; two pathways; saturating input; STDP event-driven; STDP clock-driven
short-term plasticity; integer and boolean in synapses; jump of v; integer added to; presynaptic variable added to
summed variable; summed trace, clock-driven; gap junctions; run_regularly on synapses; pathway of a custom event
several synapses per pair; multisynaptic index
connect all; connect pairs; connect on a condition; connect by a generator
subgroup as source; subgroup as target; subgroup as target of a sum
no delay; one delay; a delay per synapse; delays from an expression; delay as a keyword
delay as a keyword of a pathway

spike monitor of counts; spike monitor with variables; event monitor; rate monitor
state monitor; state monitor of a few; state monitor in a slot; state monitor of synapses
subgroup of a spike monitor; subgroup of a rate monitor; subgroup of a state monitor

several runs; run of one step; store and restore; dt changed between runs; parameter changed between runs
weights changed between runs; delays changed with spikes in flight; synapses added between runs
spikes of a generator changed between runs; object inactive
"""
FEATURES = frozenset(each.strip() for each in _LIST.replace("\n", ";").split(";") if each.strip())
