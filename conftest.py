"""What holds for every test and doctest of the project."""

from _pytest import doctest

collector = doctest.DoctestModule
import brian2.tests  # noqa: E402, F401

# Brian2 puts its own collector of doctests in place of pytest's; it cannot collect the docstring of a package.
doctest.DoctestModule = collector  # type: ignore[misc]
