"""A Brian2 network read into a :class:`~bionet.spiking.program.Program`. What bionet knows of Brian2's inside is here.

Brian2 analyses equations itself, down to unit-free statements split into those done once and those done for each
element. They are kept as they are: the same statements give the same rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2.core.base import BrianObject
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.functions import Function as BrianFunction
from brian2.core.operations import NetworkOperation
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Subexpression
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray, _find_K
from brian2.spatialneuron.spatialneuron import SpatialNeuron
from brian2.synapses.synapses import SynapticPathway

import bionet.spiking.program as p
from bionet.errors import InputError
from bionet.spiking.ends import held
from bionet.spiking.expressions import BOOLEAN, FLOAT, INTEGER, Binary, Call, Node, names, parse, walk
from bionet.spiking.fused import Block, FusedCode, compiled_only
from bionet.spiking.morphology import tree
from bionet.spiking.plain import is_pure, plain_function, python_code

# Brian2's tests put other objects in their places; ours are these.
_ELEMENTARY = {id(function): name for name, function in DEFAULT_FUNCTIONS.items()}
_DRAWS: dict[str, p.Function] = {"rand": p.Uniform(), "randn": p.Normal(), "poisson": p.Poisson()}
_KIND = {"boolean": BOOLEAN, "integer": INTEGER, "float": FLOAT, "highest": "argument"}


class NotFusedError(Exception):
    """Why something cannot run inside the loop, in words."""


# PoissonInput makes its function with code for every target known here; ours is its law.
BinomialFunction.implementations["bionet"] = lambda n, p, use_normal, name: ((n, p, use_normal), {})


Place = tuple[str, str, int]


def _kind(dtype: Any) -> str:
    return {"b": BOOLEAN, "i": INTEGER, "u": INTEGER}.get(np.dtype(dtype).kind, FLOAT)


@dataclass
class Reading:
    """A program, and the objects of the network that its numbers stand for."""

    program: p.Program
    arrays: list[ArrayVariable]
    pathways: list[SynapticPathway]
    monitors: list[Any]
    objects: list[BrianObject]
    clocks: list[Any]
    tables: dict[int, np.ndarray] = field(default_factory=dict)

    def values(self) -> list[Any]:
        """Return the memory of each of the program's arrays as it is now, or the `Side` that it can be made of."""
        return [self.tables[k] if variable is None else held(variable) for k, variable in enumerate(self.arrays)]

    def append(self, operation: p.Operation, columns: Mapping[str, np.ndarray], count: int) -> None:
        """Append what the loop has recorded to a monitor's arrays.

        Parameters
        ----------
        operation : RecordEvents, RecordStates or RecordRate
        columns : mapping of str to array
            ``"0"``, ``"1"``, ...: the operation's columns; ``"t"``: the times of rows.
        count : int
            How many events or rows there are.
        """
        match operation:
            case p.RecordEvents(monitor=number, columns=names, n=n):
                old = int(self.arrays[n].get_value()[0])
                wanted = [(array, str(k)) for k, (_, array) in enumerate(names)]
            case p.RecordStates(monitor=number, columns=names, t=t):
                old = len(self.arrays[t].get_value())
                wanted = [(t, "t"), *((array, str(k)) for k, (_, array) in enumerate(names))]
            case p.RecordRate(monitor=number, t=t, rate=rate, n=n):
                old = int(self.arrays[n].get_value()[0])
                wanted = [(t, "t"), (rate, "0")]
            case _:
                raise TypeError(operation)
        new = old + count
        self.monitors[number].resize(new)
        for array, part in wanted:
            memory = self.arrays[array].get_value()
            memory[old:new] = columns[part].reshape((new - old, *memory.shape[1:]))
        if not isinstance(operation, p.RecordStates):
            self.arrays[operation.n].get_value()[0] = new


def read(objects: Iterable[BrianObject], clocks: Iterable[Any], rng: str = "bionet") -> Reading:
    """Read objects that Brian2 has prepared for a run, in the order of the step list.

    Parameters
    ----------
    objects : iterable of BrianObject
        The active objects, sorted; their ``before_run`` has been called.
    clocks : iterable of Clock
        All clocks of the network.
    rng : {"bionet", "numpy"}
        ``"numpy"`` leaves everything that draws random numbers to Brian2.

    Returns
    -------
    Reading
    """
    return _Reader(list(clocks), rng).read(objects)


class _Reader:
    def __init__(self, clocks: list[Any], rng: str) -> None:
        self.rng = rng
        self.variables: dict[int, int] = {}
        self.arrays: list[Any] = []
        self.records: list[p.Array] = []
        self.tables: dict[int, np.ndarray] = {}
        self.floats: list[float] = []
        self.integers: list[int] = []
        self.pathways: list[SynapticPathway] = []
        self.monitors: list[Any] = []
        self.objects: list[BrianObject] = []
        self.operations: list[p.Operation] = []
        self.clocks = clocks
        self.clock_records = tuple(
            p.Clock(*(self.array(clock.variables[name]) for name in ("t", "dt", "timestep"))) for clock in clocks
        )

    def read(self, objects: Iterable[BrianObject]) -> Reading:
        for each in objects:
            if isinstance(each, NetworkOperation) or type(each).run is not BrianObject.run:
                self.outside(each, "it is a Python function" if isinstance(each, NetworkOperation) else "its own code")
            elif each.code_objects:
                before = len(self.operations)
                try:
                    for code in each.code_objects:
                        self.operations.append(self.operation(each, code))
                except (NotFusedError, InputError) as error:
                    del self.operations[before:]
                    self.outside(each, str(error))
        self.constant_hazards()
        program = p.Program(
            self.clock_records,
            tuple(self.records),
            tuple(self.operations),
            np.array(self.floats, np.float64),
            np.array(self.integers, np.int64),
            len(self.pathways),
            len(self.monitors),
        )
        return Reading(program, self.arrays, self.pathways, self.monitors, self.objects, list(self.clocks), self.tables)

    def outside(self, each: BrianObject, reason: str) -> None:
        self.objects.append(each)
        place = (each.name, each.when, self.clocks.index(each.clock))
        self.operations.append(p.Outside(*place, reason, len(self.objects) - 1))

    # Numbers for things

    def array(self, variable: ArrayVariable) -> int:
        if id(variable) not in self.variables:
            self.variables[id(variable)] = len(self.arrays)
            self.arrays.append(variable)
            owner = variable.owner
            equations = getattr(owner, "equations", None)
            integrated = equations is not None and variable.name in equations.diff_eq_names
            integrated |= variable.name == "v" and isinstance(owner, SpatialNeuron)
            name = getattr(owner, "name", "temporary")
            self.records.append(
                p.Array(name, variable.name, np.dtype(variable.dtype).name, bool(variable.scalar), integrated)
            )
        return self.variables[id(variable)]

    def table(self, name: str, values: np.ndarray) -> int:
        self.tables[len(self.arrays)] = np.ascontiguousarray(values)
        self.arrays.append(None)
        self.records.append(p.Array(name, "values", values.dtype.name, False))
        return len(self.arrays) - 1

    def constant(self, value: Any) -> p.Constant:
        kind = _kind(np.asarray(value).dtype)
        if kind == FLOAT:
            self.floats.append(float(value))
            return p.Constant(len(self.floats) - 1, FLOAT)
        self.integers.append(int(value))
        return p.Constant(len(self.integers) - 1, kind)

    # Code

    def code(self, source: FusedCode) -> p.Code:
        kinds: dict[str, str] = {}
        functions: dict[str, p.Function] = {}
        returned: dict[str, str] = {}
        for name, variable in source.variables.items():
            if isinstance(variable, BrianFunction):
                functions[name] = self.function(name, variable, source)
                returned[name] = _KIND[variable._return_type]
            elif getattr(variable, "dtype", None) is not None:
                kinds[name] = _kind(variable.dtype)
        for statement in (*source.scalar.statements, *source.vector.statements):
            kinds[statement.var] = _kind(statement.dtype)
        scalar = tuple(self.statement(each, source.scalar, kinds, returned) for each in source.scalar.statements)
        vector = tuple(self.statement(each, source.vector, kinds, returned) for each in source.vector.statements)
        used = self.used(functions, scalar + vector)
        if self.rng == "numpy" and any(
            isinstance(f, p.Uniform | p.Normal | p.Poisson | p.Binomial) for f in used.values()
        ):
            raise NotFusedError("it draws random numbers, and rng='numpy' was asked for")
        # As Brian2's compiled targets do, scalars are read once, unless the elements write them.
        once = {each for each in source.vector.read - source.vector.write if source.variables[each].scalar}
        reads = (source.scalar.read | once, source.vector.read - once)
        names_used = set(kinds) | reads[0] | reads[1] | source.scalar.write | source.vector.write
        return p.Code(
            scalar,
            vector,
            self.references(source, names_used),
            used,
            tuple(sorted(reads[0])),
            tuple(sorted(source.scalar.write)),
            tuple(sorted(reads[1])),
            tuple(sorted(source.vector.write)),
        )

    def used(self, functions: dict[str, p.Function], statements: tuple[p.Statement, ...]) -> dict[str, p.Function]:
        trees = [tree for each in statements for tree in (each.value, *(other for _, other in each.alternatives))]
        called = {node.function for tree in trees for node in walk(tree) if isinstance(node, Call)}
        return {name: function for name, function in functions.items() if name in called}

    def statement(
        self, source: Any, block: Block, kinds: Mapping[str, str], functions: Mapping[str, str]
    ) -> p.Statement:
        kind = _kind(source.dtype)
        alternatives: tuple[Any, ...] = ()
        if source.used_boolean_variables and len(source.used_boolean_variables) <= 2 and kind == FLOAT:
            alternatives = tuple(
                (values, parse(text, kinds, functions))
                for values, text in source.boolean_simplified_expressions.items()
            )
        operator = "=" if source.op == ":=" else source.op
        value = parse(source.expr, kinds, functions)
        return p.Statement(source.var, operator, value, kind, block.conditions.get(source.var), alternatives)

    def references(self, source: FusedCode, wanted: Iterable[str]) -> dict[str, p.Reference | p.Constant]:
        found: dict[str, p.Reference | p.Constant] = {}
        waiting = sorted(wanted)
        while waiting:
            name = waiting.pop()
            variable = source.variables.get(name)
            if name in found or variable is None or isinstance(variable, AuxiliaryVariable | Subexpression):
                continue
            if isinstance(variable, ArrayVariable):
                index = self.index(source, name)
                found[name] = p.Reference(self.array(variable), "0" if variable.scalar else index)
                if index not in ("_idx", "0"):
                    waiting.append(index)
            elif not isinstance(variable, BrianFunction) and hasattr(variable, "get_value"):
                found[name] = self.constant(variable.get_value())
        return found

    def index(self, source: FusedCode, name: str) -> str:
        """Return the index of an array's name.

        A group linked to a variable that is written "unless refractory" has that link's index for its own
        ``not_refractory`` in Brian2; it is an array of the group all the same.
        """
        variable, own = source.variables[name], source.arguments["owner"].variables
        conditions = [getattr(each, "conditional_write", None) for each in source.variables.values()]
        if any(each is not None and each.name == name for each in conditions) and own.get(name) is variable:
            return own.indices[name]
        return source.variable_indices[name]

    def function(self, name: str, function: BrianFunction, source: FusedCode) -> p.Function:
        known = _ELEMENTARY.get(id(function))
        if known is not None:
            return _DRAWS.get(known) or p.Elementary(known)
        if isinstance(function, TimedArray):
            dt = source.arguments["owner"].clock.dt_
            k = _find_K(dt, function.dt)
            values = function.values
            columns = self.constant(values.shape[1]) if values.ndim == 2 else None
            number = self.table(function.name, values)
            return p.Table(
                number, self.constant(function.dt / k), self.constant(k), self.constant(len(values)), columns
            )
        if isinstance(function, BinomialFunction):
            law = function.implementations._implementations.get("bionet")
            if law is None:
                raise NotFusedError(f"'{name}' was made before bionet.spiking was imported")
            n, probability, normal = law.get_code(None)
            return p.Binomial(int(n), float(probability), bool(normal))
        owner = source.arguments["owner"]
        if languages := compiled_only(function, owner):
            raise NotFusedError(f"the function '{name}' has only {', '.join(languages)} code")
        python = python_code(function, owner)
        if function.auto_vectorise or not (function.stateless or is_pure(python)):
            raise NotFusedError(f"the function '{name}' may draw random numbers or keep a state of its own")
        plain = plain_function(python)
        if plain is None:
            raise NotFusedError(f"Numba cannot compile the function '{name}'")
        return p.UserFunction(name, plain)

    # One operation for each code object

    def operation(self, owner: BrianObject, source: Any) -> p.Operation:
        if not isinstance(source, FusedCode):
            raise NotFusedError(f"{source.template_name} is not among what can run in the loop")
        place = (owner.name, owner.when, self.clocks.index(owner.clock))
        return getattr(self, f"_{source.template_name}")(place, owner, source)

    def events(self, source: FusedCode) -> int:
        return self.array(source.details["eventspace_variable"])

    def given(self, source: FusedCode, *wanted: str) -> list[Any]:
        found = []
        for name in wanted:
            variable = source.variables[name]
            is_array = isinstance(variable, ArrayVariable)
            found.append(self.array(variable) if is_array else self.constant(variable.get_value()))
        return found

    def size(self, source: FusedCode) -> p.Constant:
        return self.constant(int(np.asarray(source.variables["N"].get_value()).item()))

    def _stateupdate(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        return p.Update(*place, self.size(source), self.code(source))

    def _threshold(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        refractory = source.details["_uses_refractory"]
        wanted = self.given(source, "not_refractory", "lastspike", "t") if refractory else [None] * 3
        return p.Threshold(*place, self.size(source), self.code(source), self.events(source), *wanted)

    def _reset(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        return p.Reset(*place, self.code(source), self.events(source))

    def pathway(self, pathway: SynapticPathway) -> int:
        if not hasattr(pathway.queue, "strays"):
            raise NotFusedError("it was made for another device")
        if pathway not in self.pathways:
            self.pathways.append(pathway)
        return self.pathways.index(pathway)

    def _synapses_push_spikes(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        return p.Push(*place, self.pathway(owner), self.events(source))

    def _synapses(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        return p.Deliver(*place, self.pathway(owner), self.code(source))

    def monitor(self, monitor: Any) -> int:
        self.monitors.append(monitor)
        return len(self.monitors) - 1

    def _spikemonitor(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        recorded = source.details["record_variables"]
        columns = tuple((f"_to_record_{name}", self.array(variable)) for name, variable in sorted(recorded.items()))
        start, stop, count, n = self.given(source, "_source_start", "_source_stop", "count", "N")
        code, events = self.code(source), self.events(source)
        return p.RecordEvents(*place, self.monitor(owner), code, events, start, stop, count, columns, n)

    def _statemonitor(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        recorded = source.details["_recorded_variables"]
        columns = tuple((f"_to_record_{name}", self.array(variable)) for name, variable in sorted(recorded.items()))
        indices, clock_t, t = self.given(source, "_indices", "_clock_t", "t")
        n = self.constant(int(source.variables["_indices"].size))
        return p.RecordStates(*place, self.monitor(owner), self.code(source), indices, n, clock_t, columns, t)

    def _ratemonitor(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        wanted = ("_spikespace", "_source_start", "_source_stop", "_num_source_neurons")
        rest = self.given(source, *wanted, "_clock_t", "_clock_dt", "t", "rate", "N")
        return p.RecordRate(*place, self.monitor(owner), *rest)

    def _spikegenerator(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        wanted = ("_spikespace", "neuron_index", "_timebins", "_lastindex", "_period_bins", "t_in_timesteps")
        return p.Replay(*place, *self.given(source, *wanted))

    def _summed_variable(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        target, index = source.details["_target_var"], source.details["_index_var"]
        start, stop = source.details["_target_start"], source.details["_target_stop"]
        if stop < 0:
            stop = int(np.asarray(source.variables[source.details["_target_size_name"]].get_value()).item())
        code = self.code(source)
        return p.Sum(
            *place,
            self.size(source),
            code,
            self.array(target),
            self.array(index),
            self.constant(start),
            self.constant(stop),
        )

    def _spatialstateupdate(self, place: Place, owner: Any, source: FusedCode) -> p.Operation:
        wanted = ("v", "Ic", "Cm", "area", "dt", "_gtot_all", "_I0_all")
        shape = ("_starts", "_ends", "_morph_parent_i", "r_length_1", "r_length_2")
        resistivity = float(source.variables["Ri"].get_value().item())
        starts, ends, parents, to_start, to_end = (source.variables[name].get_value() for name in shape)
        points = tree(starts, ends, parents, to_start, to_end, resistivity)
        tables = [self.table(owner.name, each) for each in (*points, np.empty(3 * len(points.parent)))]
        return p.Diffuse(*place, self.size(source), self.code(source), *self.given(source, *wanted), *tables)

    # Poisson sources

    def constant_hazards(self) -> None:
        """Find the thresholds ``rand() < hazard`` whose hazard nothing changes while the loop runs."""
        written: set[int] = set()
        for each in self.operations:
            if isinstance(each, p.Update | p.Reset | p.Deliver):
                written |= each.code.arrays_written()
            if isinstance(each, p.Sum):
                written.add(each.target)
            if isinstance(each, p.Diffuse):
                written |= each.arrays_written()
        clocked = {number for clock in self.clock_records for number in (clock.t, clock.timestep)}
        for k, each in enumerate(self.operations):
            if isinstance(each, p.Threshold) and each.not_refractory is None:
                hazard = _hazard(each.code)
                if hazard is not None and not each.code.arrays_read() & (written | clocked):
                    self.operations[k] = p.Threshold(**{**each.__dict__, "hazard": hazard})


def _hazard(code: p.Code) -> Node | None:
    """Return x of the code ``_cond = rand() < x``, if it is just that."""
    match code.vector:
        case (p.Statement(target="_cond", value=Binary("<" | "<=", Call(function), right)),):
            drawn = {name for name, each in code.functions.items() if not isinstance(each, p.Elementary)}
            if isinstance(code.functions.get(function), p.Uniform):
                called = {node.function for node in walk(right) if isinstance(node, Call)}
                return None if called & drawn or not names(right) else right
    return None
