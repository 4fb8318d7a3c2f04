"""Groups whose step is linear: what one step of the grid makes of a state is a matrix and a constant.

Such a group needs not be advanced step by step: where nothing arrives, k steps are the k-th power of the matrix. That
is so for every method of integration, as it is the step itself that is read here, not the differential equations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import bionet.spiking.program as p
from bionet.spiking.expressions import BOOLEAN, FLOAT, Binary, Call, Name, Node, names
from bionet.spiking.flow import ONE, Affine, NotLinearError, affine

#: A monitor of more than this share of a group's states has them computed in every step anyway.
_MOST_RECORDED = 1 / 32


@dataclass(frozen=True)
class Form:
    """What code computes of states: sums of states times numbers.

    Attributes
    ----------
    code : Code
    numbers : tuple of (str, Node)
        Names that do not depend on states and are computed first, in order.
    sums : tuple of Affine
        With the names of `key` for states.
    """

    code: p.Code
    numbers: tuple[tuple[str, Node], ...]
    sums: tuple[Affine, ...]


@dataclass(frozen=True)
class LinearStep:
    """A group whose update and threshold are linear, and whose states nothing else looks at in every step.

    Attributes
    ----------
    name : str
    n : int
    update, threshold : int
        The numbers of these operations.
    states : tuple of int
        The arrays of its states: those its update writes, then parameters that synapses or resets change.
    parameters : tuple of int
        The arrays that the matrix, the constants and the threshold are made of.
    not_refractory : int or None
    step : Form
        Its new states.
    distance : Form
        How far above its threshold it is: one sum.
    """

    name: str
    n: int
    update: int
    threshold: int
    states: tuple[int, ...]
    parameters: tuple[int, ...]
    not_refractory: int | None
    step: Form
    distance: Form

    @property
    def arrays(self) -> set[int]:
        """The arrays that are up to date only where a neuron has been advanced."""
        return {*self.states} | ({self.not_refractory} if self.not_refractory is not None else set())

    def reached_by(self, each: p.Operation) -> bool:
        """Return whether an operation touches single neurons of the group by way of an array of indices."""
        return isinstance(each, p.Deliver) and any(by_index(each.code, self.arrays))


def key(array: int) -> str:
    """Return the name of a state in sums."""
    return f"#{array}"


def by_index(code: p.Code, arrays: set[int]) -> Iterable[str]:
    """Return the names of the indices by which code reaches elements of arrays."""
    for name in (*code.vector_reads, *code.vector_writes):
        reference = code.names[name]
        if isinstance(reference, p.Reference) and reference.array in arrays:
            yield reference.index


def linear_steps(program: p.Program) -> tuple[list[LinearStep], dict[str, str]]:
    """Find the groups of a program whose neurons may wait until something reaches them.

    Parameters
    ----------
    program : Program

    Returns
    -------
    steps : list of LinearStep
    reasons : dict of str to str
        Why others, by their names, are advanced in every step.
    """
    found, reasons = [], {}
    for number, each in enumerate(program.operations):
        # What else updates states, such as Poisson input, has other slots.
        if isinstance(each, p.Update) and each.slot == "groups":
            integrated = {array for array in each.code.arrays_written() if program.arrays[array].integrated}
            if integrated and _looked_at(program, integrated):
                name = program.arrays[min(integrated)].owner
                try:
                    found.append(_Group(program, number, name).read())
                except NotLinearError as error:
                    reasons[name] = str(error)
    return found, reasons


def _looked_at(program: p.Program, arrays: set[int]) -> list[int]:
    """Return the thresholds that read arrays."""
    return [
        number
        for number, each in enumerate(program.operations)
        if isinstance(each, p.Threshold) and each.code.arrays_read() & arrays
    ]


class _Group:
    def __init__(self, program: p.Program, number: int, name: str) -> None:
        self.program, self.number, self.name = program, number, name
        update = program.operations[number]
        assert isinstance(update, p.Update)
        self.update = update
        written = update.code.arrays_written()
        thresholds = _looked_at(program, written)
        if len(thresholds) != 1:
            raise NotLinearError("the conditions of several events look at its states")
        self.threshold_number = thresholds[0]
        threshold = program.operations[thresholds[0]]
        assert isinstance(threshold, p.Threshold)
        self.threshold = threshold
        # By names: the numbers of arrays depend on what is recorded, and sums on the order of their terms.
        self.own = self._by_name(written - {threshold.not_refractory})

    def read(self) -> LinearStep:
        update, threshold = self.update, self.threshold
        same = update.clock == threshold.clock and self._size(update.n) == self._size(threshold.n)
        if not same or self.number > self.threshold_number or threshold.hazard is not None:
            raise NotLinearError("its threshold is not looked at after each of its updates")
        self._check_code()
        self.states = (*self.own, *self._moved())
        refractory = set() if threshold.not_refractory is None else {threshold.not_refractory}
        self._check_others({*self.states} | refractory)
        step = self._form(update.code, self._rows)
        distance = self._form(threshold.code, self._distance)
        read = update.code.arrays_read() | threshold.code.arrays_read()
        allowed = {key(array) for array in self.states}
        for each in (*step.sums, *distance.sums):
            for cause in sorted(each.slopes.keys() - allowed):
                what = f"read {cause[1:]}, which changes" if cause[1:] else "are not linear"
                raise NotLinearError(f"its equations or its threshold {what}")
        return LinearStep(
            self.name,
            self._size(update.n),
            self.number,
            self.threshold_number,
            self.states,
            tuple(sorted(array for array in read if not self._is_changing(array))),
            threshold.not_refractory,
            step,
            distance,
        )

    def _size(self, constant: p.Constant) -> int:
        return int(self.program.integers[constant.slot])

    def _check_code(self) -> None:
        for code in (self.update.code, self.threshold.code):
            for each in code.functions.values():
                if isinstance(each, p.Table):
                    raise NotLinearError("it reads a TimedArray")
                if not isinstance(each, p.Elementary | p.UserFunction):
                    raise NotLinearError("it draws random numbers")
            if code.scalar_writes:
                raise NotLinearError("its neurons share a variable")
        if self.threshold.code.arrays_written():
            raise NotLinearError("its threshold sets a variable")
        for array in self.own:
            if self.program.arrays[array].dtype != "float64":
                raise NotLinearError(f"'{self.program.arrays[array].name}' is no number of double precision")

    def _writers(self, array: int) -> list[p.Operation]:
        return [
            each
            for each in self.program.operations
            if array in (getattr(each, "target", None), getattr(each, "last_spike", None))
            or (isinstance(each, p.Update | p.Reset | p.Deliver | p.Sum) and array in each.code.arrays_written())
        ]

    def _is_changing(self, array: int) -> bool:
        clocked = {number for clock in self.program.clocks for number in (clock.t, clock.timestep)}
        return array in clocked or bool(self._writers(array))

    def _moved(self) -> list[int]:
        """Return the parameters of single neurons that synapses or resets change."""
        found = set()
        for code in (self.update.code, self.threshold.code):
            for name in code.vector_reads:
                reference = code.names[name]
                assert isinstance(reference, p.Reference)
                array = reference.array
                changed_by = [each for each in self._writers(array) if each is not self.threshold]
                at_events = all(isinstance(each, p.Reset | p.Deliver) for each in changed_by)
                if changed_by and at_events and self.program.arrays[array].dtype == "float64":
                    found.add(array)
        return self._by_name(found - {*self.own, self.threshold.last_spike, self.threshold.not_refractory})

    def _by_name(self, arrays: Iterable[int]) -> list[int]:
        return sorted(arrays, key=lambda array: self.program.arrays[array].name)

    # What else touches its states

    def _check_others(self, arrays: set[int]) -> None:
        for number, each in enumerate(self.program.operations):
            if number in (self.number, self.threshold_number):
                continue
            touched = _arrays(each)
            if self.number < number < self.threshold_number and (
                touched & (arrays | {self.threshold.events, self.threshold.last_spike})
            ):
                raise NotLinearError(f"'{each.name}' comes between its update and its threshold")
            if isinstance(each, p.Outside) and each.clock == self.update.clock:
                raise NotLinearError(f"'{each.name}' runs in every step, and may look at it")
            if touched & arrays:
                self._check_other(each, arrays)

    def _check_other(self, each: p.Operation, arrays: set[int]) -> None:
        match each:
            case p.Deliver():
                indices = set(by_index(each.code, arrays))
                simple = [each.code.names.get(name) for name in indices]
                if all(isinstance(found, p.Reference) and found.index == "_idx" for found in simple):
                    return
            case p.Reset() | p.RecordEvents():
                if each.events == self.threshold.events and set(by_index(each.code, arrays)) <= {"_idx"}:
                    return
            case p.RecordStates():
                few = self._size(each.n_indices) <= _MOST_RECORDED * self._size(self.update.n)
                if few and set(by_index(each.code, arrays)) <= {"_idx"}:
                    return
        raise NotLinearError(f"'{each.name}' reads or sets its states in every step")

    # Sums

    def _form(self, code: p.Code, last) -> Form:
        known: dict[str, Affine] = {}
        for name, reference in code.names.items():
            if isinstance(reference, p.Reference) and reference.array != self.threshold.not_refractory:
                if reference.array in self.states and reference.index == "_idx":
                    known[name] = Affine({key(reference.array): ONE}, None)
                elif self._is_changing(reference.array):
                    known[name] = Affine({f"?'{name}'": ONE}, None)
        numbers: list[tuple[str, Node]] = []
        assigned: set[str] = set()
        for each in (*code.scalar, *code.vector):
            if each.target in assigned:
                raise NotLinearError(f"its update sets '{each.target}' twice")
            assigned.add(each.target)
            if self._is_refractoriness(code, each):
                continue
            if each.kind == BOOLEAN and each.target == "_cond":
                known["_cond"] = self._comparison(each.value, known)
                continue
            # The form that the loop takes for those who are not refractory rounds as the loop does.
            free = ((("not_refractory", True),),)
            tree = next((other for values, other in each.alternatives if (values,) == free), each.value)
            if each.operator != "=":
                tree = Binary(each.operator[:-1], Name(each.target, each.kind), tree, FLOAT)
            try:
                if each.condition not in (None, "not_refractory"):
                    raise NotLinearError
                form = affine(tree, known)
            except NotLinearError:
                form = Affine({_cause(tree, known): ONE}, None)
            if not form.slopes:
                numbers.append((each.target, tree))
                form = Affine({}, Name(each.target, each.kind))
            known[each.target] = form
        return Form(code, tuple(numbers), last(code, known))

    def _rows(self, code: p.Code, known: Mapping[str, Affine]) -> tuple[Affine, ...]:
        own = {
            reference.array: known[name]
            for name, reference in code.names.items()
            if name in code.vector_writes and isinstance(reference, p.Reference) and name in known
        }
        return tuple(own.get(array, Affine({key(array): ONE}, None)) for array in self.states)

    def _distance(self, code: p.Code, known: Mapping[str, Affine]) -> tuple[Affine, ...]:
        return (known["_cond"],)

    def _comparison(self, tree: Node, known: Mapping[str, Affine]) -> Affine:
        match tree:
            case Binary("and", left, Name("not_refractory")):
                return self._comparison(left, known)
            case Binary("and", Name("not_refractory"), right):
                return self._comparison(right, known)
            case Binary(">" | ">=", left, right):
                return affine(left, known).plus(affine(right, known), "-")
            case Binary("<" | "<=", left, right):
                return affine(right, known).plus(affine(left, known), "-")
        raise NotLinearError("its threshold is no comparison of two quantities")

    def _is_refractoriness(self, code: p.Code, each: p.Statement) -> bool:
        """Return whether a statement tells who is refractory, and leaves those alone who are not.

        Raises
        ------
        NotLinearError
            If it may make a neuron refractory that has not fired.
        """
        reference = code.names.get(each.target)
        if not isinstance(reference, p.Reference) or reference.array != self.threshold.not_refractory:
            return False
        match each.value:
            case Binary("or", Name("not_refractory"), _):
                return True
        since = {array for array in (self.threshold.last_spike, self.threshold.t) if array is not None}
        read = {found.array for name in names(each.value) if isinstance(found := code.names.get(name), p.Reference)}
        grows = _is_elapsed_time(each.value)
        if not grows or any(self._is_changing(array) for array in read - since):
            raise NotLinearError("how long it is refractory changes")
        others = [other for other in self._writers(self.threshold.last_spike or 0) if other is not self.threshold]
        if others:
            raise NotLinearError(f"'{others[0].name}' sets the time of its last spike")
        return True


def _cause(tree: Node, known: Mapping[str, Affine]) -> str:
    """Return what keeps an expression from being a sum of states: something that changes, or its own form."""
    slopes = {slope for name in names(tree) & known.keys() for slope in known[name].slopes}
    return min((each for each in slopes if each.startswith("?")), default="?")


def _is_elapsed_time(tree: Node) -> bool:
    """Return whether a condition is ``timestep(t - lastspike, dt) >= ...``: once true, it stays true."""
    match tree:
        case Binary(">=", Call("timestep", (Binary("-", Name("t"), Name("lastspike")), Name("dt"))), right):
            return not {"t", "lastspike"} & names(right)
    return False


def _arrays(each: p.Operation) -> set[int]:
    """Return all arrays that an operation reads or writes."""
    code = getattr(each, "code", None)
    found = code.arrays_read() | code.arrays_written() if code is not None else set()
    no_arrays = ("clock", "pathway", "monitor", "object")
    return found | {value for name, value in vars(each).items() if isinstance(value, int) and name not in no_arrays}
