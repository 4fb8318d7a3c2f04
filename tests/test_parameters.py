"""Parameters: what is taken, what is refused, and with which sentence."""

import copy
import dataclasses
import inspect
import math
import pickle
from typing import Literal

import pytest

from bionet.errors import InputError
from bionet.parameters import Count, Fraction, NonNegative, Positive, from_text, parameters


@parameters
class Settings:
    """One of every kind."""

    n_hidden: Count = 100
    rate: Positive = 0.05
    delay: NonNegative = 0.0
    held_out: Fraction = 0.2
    offset: float = 1.0
    rule: Literal["hebb", "storkey"] = "hebb"
    biased: bool = False
    label: str = "run"
    noise: tuple[Fraction, ...] = (0.0, 0.1)
    bits: tuple[Count, ...] = (1, 2)


@parameters
class Needed:
    """One without a default."""

    n: Count


def test_defaults_stand_and_whole_numbers_become_floats():
    assert dataclasses.astuple(Settings())[:3] == (100, 0.05, 0.0)
    settings = Settings(rate=2, noise=(1, 0))
    assert isinstance(settings.rate, float)
    assert [type(each) for each in settings.noise] == [float, float]


REFUSED = [
    ({"n_hidden": -3}, "n_hidden: got -3; expected a number of at least 1; the default is 100"),
    ({"n_hidden": 0}, "n_hidden: got 0; expected a number of at least 1; the default is 100"),
    ({"n_hidden": 2.5}, "n_hidden: got 2.5; expected a whole number; the default is 100"),
    ({"n_hidden": "3"}, "n_hidden: got '3'; expected a whole number; the default is 100"),
    ({"n_hidden": True}, "n_hidden: got True; expected a whole number; the default is 100"),
    ({"n_hidden": None}, "n_hidden: got None; expected a whole number; the default is 100"),
    ({"n_hidden": 2**31}, "n_hidden: got 2147483648; expected a number of at most 2.14748e+09; the default is 100"),
    ({"rate": 0}, "rate: got 0; expected a number above 0; the default is 0.05"),
    ({"rate": math.nan}, "rate: got nan; expected a finite number; the default is 0.05"),
    ({"rate": math.inf}, "rate: got inf; expected a finite number; the default is 0.05"),
    ({"rate": "1"}, "rate: got '1'; expected a number; the default is 0.05"),
    ({"rate": True}, "rate: got True; expected a number; the default is 0.05"),
    ({"delay": -1e-9}, "delay: got -1e-09; expected a number of at least 0; the default is 0.0"),
    ({"held_out": 1.1}, "held_out: got 1.1; expected a number of at most 1; the default is 0.2"),
    ({"held_out": -0.1}, "held_out: got -0.1; expected a number of at least 0; the default is 0.2"),
    ({"offset": math.nan}, "offset: got nan; expected a finite number; the default is 1.0"),
    ({"offset": -math.inf}, "offset: got -inf; expected a finite number; the default is 1.0"),
    ({"rule": "heb"}, "rule: got 'heb'; expected 'hebb' or 'storkey'; the default is 'hebb'"),
    ({"biased": 1}, "biased: got 1; expected true or false; the default is False"),
    ({"label": 3}, "label: got 3; expected text; the default is 'run'"),
    ({"noise": 0.1}, "noise: got 0.1; expected a list of values, separated by commas; the default is (0.0, 0.1)"),
    ({"noise": (0.1, 2.0)}, "noise.1: got 2.0; expected a number of at most 1; the default is (0.0, 0.1)"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED)
def test_what_cannot_be_is_refused_with_one_sentence(given, sentence):
    with pytest.raises(InputError) as refusal:
        Settings(**given)
    assert str(refusal.value) == f"Settings.{sentence}"


def test_every_mistake_is_told():
    with pytest.raises(InputError) as refusal:
        Settings(n_hidden=-1, held_out=2.0)
    assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == [
        "Settings.n_hidden",
        "Settings.held_out",
    ]


@pytest.mark.parametrize("build", [lambda: Settings(n_hiden=3), lambda: from_text(Settings, {"n_hiden": "3"})])
def test_a_misspelt_name_is_answered_with_the_nearest(build):
    expected = r"^Settings\.n_hiden: there is no such parameter; did you mean 'n_hidden'\? Known: biased, bits, "
    with pytest.raises(InputError, match=expected):
        build()


def test_a_value_without_a_name_and_a_value_left_out():
    with pytest.raises(InputError, match=r"^Settings\.0: got 3; expected parameters by name$"):
        Settings(3)
    with pytest.raises(InputError, match=r"^Needed\.n: got nothing; expected a value$"):
        Needed()
    with pytest.raises(InputError, match=r"^Needed\.n: got 0; expected a number of at least 1$"):
        Needed(n=0)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n_hidden", "3", 3),
        ("rate", "1e-3", 1e-3),
        ("rate", "2", 2.0),
        ("delay", "0", 0.0),
        ("held_out", "0.25", 0.25),
        ("offset", "-3.5", -3.5),
        ("rule", "storkey", "storkey"),
        ("biased", "true", True),
        ("biased", "False", False),
        ("label", "3", "3"),
        ("label", "a,b", "a,b"),
        ("noise", "0,0.1, 0.2", (0.0, 0.1, 0.2)),
        ("noise", "0.3", (0.3,)),
        ("bits", "1,4", (1, 4)),
    ],
)
def test_a_text_is_read_as_its_parameter(name, text, value):
    read = getattr(from_text(Settings, {name: text}), name)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("n_hidden", "many", "a whole number"),
        ("n_hidden", "3.5", "a whole number"),
        ("n_hidden", "", "a whole number"),
        ("n_hidden", "-1", "a number of at least 1"),
        ("rate", "fast", "a number"),
        ("rate", "-1", "a number above 0"),
        ("rate", "nan", "a finite number"),
        ("offset", "nan", "a finite number"),
        ("offset", "inf", "a finite number"),
        ("held_out", "2", "a number of at most 1"),
        ("rule", "heb", "'hebb' or 'storkey'"),
        ("biased", "maybe", "true or false"),
        ("noise", "0,x", "a number"),
        ("noise", "0,2", "a number of at most 1"),
        ("noise", "", "a number"),
        ("bits", "1,2.5", "a whole number"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(name, text, expected):
    with pytest.raises(InputError, match=rf"^Settings\.{name}(\.\d)?: got .*; expected {expected}; the default is "):
        from_text(Settings, {name: text})


def test_parameters_are_frozen_and_behave_as_dataclasses():
    settings = Settings(n_hidden=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.n_hidden = 4
    assert dataclasses.replace(settings, n_hidden=4) == Settings(n_hidden=4)
    with pytest.raises(InputError, match="n_hidden"):
        dataclasses.replace(settings, n_hidden=-4)
    assert pickle.loads(pickle.dumps(settings)) == copy.deepcopy(settings) == settings
    assert hash(settings) == hash(Settings(n_hidden=3))
    assert list(inspect.signature(Settings).parameters)[:2] == ["n_hidden", "rate"]
