"""Expressions: what a tree may hold, and that what is printed from it computes what the text says."""

import math

import numpy as np
import pytest

from bionet.errors import InputError
from bionet.spiking.expressions import BOOLEAN, FLOAT, INTEGER, Call, Name, names, numba_source, parse, walk

KINDS = {"v": FLOAT, "w": FLOAT, "n": INTEGER, "k": INTEGER, "on": BOOLEAN, "off": BOOLEAN}
FUNCTIONS = {"exp": FLOAT, "abs": "argument", "int": INTEGER}
VALUES = {"v": -1.75, "w": 0.5, "n": 7, "k": -3, "on": True, "off": False}


def evaluate(text):
    source = numba_source(
        parse(text, KINDS, FUNCTIONS), lambda name: name, lambda call, given: f"{call.function}({', '.join(given)})"
    )
    known = {"square": lambda x: x * x, "cube": lambda x: x * x * x, "pow_int": lambda x, n: x**n, "float64": float}
    return eval(source, {**VALUES, **known, "exp": math.exp, "math": math, "inf": math.inf, "nan": math.nan})  # noqa: S307


@pytest.mark.parametrize(
    "text",
    [
        *("v + w*n - k/2", "-v**2", "v**3 + w**4", "w**-2", "n**3", "v**n", "w**0.5", "exp(v)**0.25", "n // 2 % 3"),
        *("n % -4", "v % w", "abs(k) + abs(v)", "int(on)*v", "2.5e-3*v", "n/2", "+v", "(v < w)", "v >= -1.75"),
        *("on and not off", "on or off and v > 0", "not (v > 0)", "v == -1.75 and n != 7", "True", "int(v)"),
    ],
)
def test_what_is_printed_computes_what_is_written(text):
    expected = eval(text.replace("int(", "int(").replace("exp", "math.exp"), {**VALUES, "math": math})  # noqa: S307
    assert evaluate(text) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *[("n + k", INTEGER), ("n + v", FLOAT), ("n/k", FLOAT), ("n//k", INTEGER), ("on + off", INTEGER)],
        *[("v > 1", BOOLEAN), ("on and off", BOOLEAN), ("-on", INTEGER), ("abs(n)", INTEGER), ("abs(v)", FLOAT)],
        *[("3", INTEGER), ("3.0", FLOAT), ("True", BOOLEAN), ("2**62*4", INTEGER), ("99999999999999999999", FLOAT)],
    ],
)
def test_kinds(text, kind):
    assert parse(text, KINDS, FUNCTIONS).kind == kind


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *[("x + 1", "'x' is not known"), ("v.real", "Attribute"), ("v[0]", "Subscript"), ("lambda: 1", "Lambda")],
        *[
            ("open('a')", "'open' is not known"),
            ("(v, w)", "Tuple"),
            ("'text'", "not a number"),
            ("v +", "not an expr"),
        ],
        *[("[v for v in (1,)]", "ListComp"), ("v if on else w", "IfExp"), ("exp(x=v)", "Call"), ("~n", "~")],
        *[("1 < v < 2", "Compare"), ("v := 2", "not an expression"), ("v**9999", "exponent"), ("1j*v", "not a number")],
        *[
            ("v" + " + v" * 9000, "characters"),
            ("-" * 500 + "v", "deep"),
            ("-" * 5000 + "v", "recursion"),
            ("__import__('os')", "__import__"),
        ],
    ],
)
def test_everything_else_is_refused(text, why):
    with pytest.raises(InputError, match="expression") as caught:
        parse(text, KINDS, FUNCTIONS)
    assert why in str(caught.value)


def test_a_tree_can_be_walked():
    tree = parse("exp(v) + abs(n)*w", KINDS, FUNCTIONS)
    assert names(tree) == {"v", "n", "w"}
    assert [each.function for each in walk(tree) if isinstance(each, Call)] == ["exp", "abs"]
    assert [each.name for each in walk(tree) if isinstance(each, Name)] == ["v", "n", "w"]


def test_numbers_that_are_not_finite_have_names():
    assert evaluate("v + 1e999") == np.inf
