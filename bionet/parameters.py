"""Validated, frozen parameters: what an experiment can be told, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from bionet.errors import InputError, suggest

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number, 0 or above."""
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A number from 0 to 1."""
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A whole number, 1 or more."""

T = TypeVar("T")

_ALLOWED = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number of at most {le:g}",
    "less_than": "a number below {lt:g}",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list of values, separated by commas",
    "literal_error": "{expected}",
    "missing": "a value",
    "unexpected_positional_argument": "parameters by name",
}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def parameters(cls: type[T]) -> type[T]:
    """Turn an annotated class into a frozen dataclass that checks every value it is given.

    Parameters
    ----------
    cls : type
        A class with annotated fields and defaults. Use :data:`Positive`, :data:`NonNegative`,
        :data:`Fraction`, :data:`Count` or any pydantic type; write the units in its docstring.

    Returns
    -------
    type
        A frozen, keyword-only dataclass. A wrong name, type or value raises :class:`InputError` with one
        sentence a mistake; nothing is converted but whole numbers to floats.

    Examples
    --------
    >>> @parameters
    ... class Parameters:
    ...     n_hidden: Count = 100
    >>> Parameters(n_hidden=-3)
    Traceback (most recent call last):
    bionet.errors.InputError: Parameters.n_hidden: got -3; expected a number of at least 1; the default is 100
    """
    config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    checked: Any = pydantic_dataclass(frozen=True, kw_only=True, config=config)(cls)
    plain_init = checked.__init__

    def checked_init(self: Any, *args: Any, **values: Any) -> None:
        known = [each.name for each in dataclasses.fields(checked)]
        for name in values:
            if name not in known:
                raise InputError(f"{cls.__name__}.{name}: there is no such parameter{suggest(name, known)}")
        try:
            plain_init(self, *args, **values)
        except ValidationError as error:
            raise InputError(_sentences(cls.__name__, checked, error)) from None

    checked.__init__ = checked_init
    return checked


def from_text(kind: type[T], given: dict[str, str]) -> T:
    """Build parameters from texts, as the command line gives them.

    Parameters
    ----------
    kind : type
        A class made by :func:`parameters`.
    given : dict of str to str
        Names and texts; a list is written with commas: ``noise=0,0.1,0.2``.

    Raises
    ------
    InputError
        If a name is unknown or a text does not fit its parameter.

    Examples
    --------
    >>> @parameters
    ... class Parameters:
    ...     noise: tuple[Fraction, ...] = (0.0,)
    >>> from_text(Parameters, {"noise": "0,0.1"})
    Parameters(noise=(0.0, 0.1))
    """
    known = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for name, text in given.items():
        if name not in known:
            raise InputError(f"{kind.__name__}.{name}: there is no such parameter{suggest(name, known)}")
        values[name] = _value(kind, known[name], text)
    return kind(**values)


def _value(kind: type, which: dataclasses.Field[Any], text: str) -> Any:
    """Read one text as the type of its parameter; a text that does not fit is left for the check to refuse."""
    annotation = get_type_hints(kind, include_extras=True)[which.name]
    many = isinstance(which.default, tuple)
    try:
        return TypeAdapter(annotation).validate_python(text.split(",") if many else text, strict=False)
    except ValidationError as error:
        raise InputError(_sentences(kind.__name__, kind, error, which.name)) from None


def _sentences(owner: str, kind: Any, error: ValidationError, name: str | None = None) -> str:
    """Say each mistake in one line: where, what was got, what is allowed, what the default is."""
    fields = dataclasses.fields(kind)
    defaults = {each.name: each.default for each in fields if each.default is not dataclasses.MISSING}
    lines = []
    for mistake in error.errors():
        where = [str(part) for part in mistake["loc"] if str(part) != "tuple"]
        if name is not None:
            where = [name, *where]
        text = _ALLOWED.get(mistake["type"], mistake["msg"]).format(**mistake.get("ctx", {}))
        got = "nothing" if mistake["type"] == "missing" else repr(mistake["input"])
        line = f"{owner}.{'.'.join(where)}: got {got}; expected {text}"
        if where and where[0] in defaults:
            line += f"; the default is {defaults[where[0]]!r}"
        lines.append(line)
    return "\n".join(lines)
