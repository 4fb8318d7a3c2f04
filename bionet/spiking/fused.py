"""Code objects of Brian2's step list whose statements wait to be read: Brian2's own analysis, kept as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from brian2.codegen.codeobject import CodeObject
from brian2.codegen.generators.base import CodeGenerator
from brian2.codegen.runtime.cython_rt.cython_rt import CythonCodeObject
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.functions import Function

from bionet.errors import InputError
from bionet.spiking.ends import held
from bionet.spiking.plain import never_returns, python_code

#: What can run inside the loop: the names of Brian2's templates.
FUSED = (
    "stateupdate",
    "threshold",
    "reset",
    "synapses",
    "synapses_push_spikes",
    "spikemonitor",
    "statemonitor",
    "ratemonitor",
    "spikegenerator",
    "summed_variable",
    "spatialstateupdate",
)


@dataclass
class Block:
    """A block of Brian2's statements, and what they read and write."""

    statements: list[Any]
    read: set[str]
    write: set[str]
    indices: set[str]
    conditions: dict[str, str]


class _Statements(CodeGenerator):
    """The generator that leaves Brian2's statements as they are."""

    class_name = "bionet"

    def translate_statement_sequence(self, scalar_statements: dict, vector_statements: dict) -> tuple:
        return self._block(scalar_statements[None]), self._block(vector_statements[None]), {}

    def _block(self, statements: list[Any]) -> Block:
        read, write, indices, conditions = self.arrays_helper(statements)
        return Block(statements, read, write, indices, conditions)


def compiled_only(function: Function, owner: Any) -> list[str]:
    """Return the languages of a function that has code for compilers only; none if its Python code gives a value."""
    known = function.implementations._implementations
    if not never_returns(python_code(function, owner)):
        return []
    named = {each if isinstance(each, str) else getattr(each, "class_name", "") for each in known}
    return sorted(named - {"numpy", "bionet", ""})


@dataclass(frozen=True)
class _AsHeld:
    """A variable that gives its values as they are held: no array is made of them."""

    variable: Any

    def get_value(self) -> Any:
        return held(self.variable)


def _initialise_queue(pathway: Any) -> None:
    """Do what Brian2 does before a run: sort the synapses of a pathway."""
    variable = pathway.synapse_sources
    pathway.synapse_sources = _AsHeld(variable)
    try:
        pathway.initialise_queue()
    finally:
        pathway.synapse_sources = variable


class FusedCode(CodeObject):
    """A code object of Brian2's whose statements wait to be read; called on its own, it runs as Brian2 runs it."""

    class_name = "bionet"
    generator_class = _Statements

    def __init__(self, device: Any, arguments: dict[str, Any]) -> None:
        self.device, self.arguments = device, arguments
        template = getattr(NumpyCodeObject.templater, arguments["template_name"])
        super().__init__(
            owner=arguments["owner"],
            code="",
            variables=arguments["variables"],
            variable_indices=arguments["variable_indices"],
            template_name=arguments["template_name"],
            template_source=template.template_source,
            compiler_kwds={},
            name=arguments["name"],
        )
        generator = _Statements(
            variables=self.variables,
            variable_indices=self.variable_indices,
            owner=arguments["owner"],
            iterate_all=template.iterate_all,
            codeobj_class=NumpyCodeObject,
            name=self.name,
            template_name=self.template_name,
            override_conditional_write=arguments["override_conditional_write"],
            allows_scalar_write=template.allows_scalar_write,
        )
        self.scalar, self.vector, _ = generator.translate(arguments["abstract_code"], arguments["dtype"])
        self.details: Mapping[str, Any] = arguments["template_kwds"] or {}
        self._alone: CodeObject | None = None

    @property
    def target(self) -> type[CodeObject]:
        """Brian2's class for this code alone: NumPy's, or Cython's where a function has code for no other.

        Raises
        ------
        InputError
            If a function has no code that can run in this process.
        """
        for name, each in self.variables.items():
            if isinstance(each, Function) and (languages := compiled_only(each, self.arguments["owner"])):
                if "cython" not in languages:
                    raise InputError(
                        f"{self.owner.name}: the function '{name}' has only {', '.join(languages)} code; expected "
                        "Python or Cython code; let the Python function return the value, give it "
                        "@implementation('cython', ...), or run the script with set_device('cpp_standalone')"
                    )
                return CythonCodeObject
        return NumpyCodeObject

    def alone(self) -> CodeObject:
        """Return the code object that Brian2 itself would have made."""
        if self._alone is None:
            self._alone = self.device.code_object_of_brian2({**self.arguments, "codeobj_class": self.target})
            if self.template_name == "spatialstateupdate":
                self._alone.before_run()
        return self._alone

    def before_run(self) -> None:
        """Sort the pathway, if this is the one that pushes spikes."""
        if self.template_name == "synapses_push_spikes":
            _initialise_queue(self.owner)

    def __call__(self, **namespace: Any) -> Any:
        """Run once, as Brian2 would."""
        return self.alone()(**namespace)

    def run(self) -> Any:
        """Run once, as Brian2 would."""
        return self.alone().run()

    def after_run(self) -> None:
        """Leave no events behind."""
        if self.template_name == "threshold":
            self.details["eventspace_variable"].get_value()[-1] = 0
