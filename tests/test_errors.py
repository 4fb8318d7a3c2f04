"""Errors: their family, their exit codes, and the hints in their sentences."""

import pytest

from bionet import errors
from bionet.errors import BionetError, InputError, MissingExtraError, require, suggest


@pytest.mark.parametrize(
    ("name", "kind", "exit_code"),
    [
        ("BionetError", Exception, 1),
        ("StorageError", OSError, 1),
        ("InputError", ValueError, 2),
        ("MissingExtraError", ImportError, 2),
        ("DataError", InputError, 2),
        ("ResultFileError", InputError, 2),
    ],
)
def test_the_family(name, kind, exit_code):
    error = getattr(errors, name)
    assert issubclass(error, BionetError)
    assert issubclass(error, kind)
    assert error.exit_code == exit_code
    assert str(error("one sentence")) == "one sentence"


def test_suggest_offers_the_nearest_name_and_lists_all():
    assert suggest("minst", ["mnist", "digits"]) == "; did you mean 'mnist'? Known: digits, mnist"
    assert suggest("qqq", ["mnist", "digits"]) == ". Known: digits, mnist"


def test_require_returns_the_module_or_names_the_extra():
    assert require("json", "torch", "Reading").loads("1") == 1
    with pytest.raises(MissingExtraError) as refusal:
        require("no_such_module", "torch", "The CNN")
    sentence = str(refusal.value)
    assert sentence.startswith("The CNN needs no_such_module, which is not installed")
    assert sentence.endswith("install it with: pip install 'bionet[torch]'")
    assert isinstance(refusal.value.__cause__, ImportError)
