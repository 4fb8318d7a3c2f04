"""The text of the search for a crossing where a neuron's distance to threshold is a sum of decaying exponentials.

This is the common case, and what an event costs: the same steps and bounds as those of
:mod:`bionet.spiking.crossing`, for a known number of terms, without arrays. What they do not settle at once is left to
that module.
"""

from __future__ import annotations

from collections.abc import Iterable

from bionet.spiking.closed_form import Pattern
from bionet.spiking.engines.event_names import FunctionText

#: Steps after which a window is left to the general search.
_STEPS = 12


class ExponentialText(FunctionText):
    """Prints the search among exponentials."""

    def plain_search(self, number: int, pattern: Pattern) -> None:
        r"""Print the search in one window: in one step, or in halves of it until each is settled.

        For :math:`f(h) = \sum_q f_q e^{a_q h}` each term of :math:`f''` is greatest at one of the ends of a step.
        """
        moving, still = _kinds(pattern)
        constant = total(f"f{q}" for q in still)
        self.add("begin = max((w - start_w) * window - start_off, 0.0)")
        for q in moving:
            self.add(f"g{q} = f{q} * exp(alpha{q} * begin)")
        for q in still:
            self.add(f"d{q} = f{q}")
        self.add("width = end - begin")
        with self.block(f"for _ in range({_STEPS}):"):
            for q in moving:
                self.add(f"d{q} = g{q} * exp(alpha{q} * width)")
            value, slope, bend, highest = plain_bounds("d", pattern)
            self.add(f"here = {total([constant, *(f'g{q}' for q in moving)])}")
            self.add(f"there = {value}")
            self.add(f"bend = max(0.0, {total(f'max(-g{q}, -d{q}) * alpha{q} * alpha{q}' for q in moving)})")
            with self.block("if max(here, there) + 0.125 * width * width * bend < 0.0:"):
                with self.block("if begin + width >= end:"):
                    self.add(f"silent = silence(there, {slope}, {bend}, {highest})")
                    self.add("return np.inf, window_after(w + 1, silent, window, w)")
                self.add("begin += width")
                self.add("width = end - begin")
                for q in moving:
                    self.add(f"g{q} = d{q}")
                self.add("continue")
            sizes = total([f"abs({name}{q})" for name, some in (("f", still), ("g", moving)) for q in some])
            rising = total(f"g{q} * alpha{q}" for q in moving)
            with self.block(f"if here < 0.0 and there > 1e-15 * ({sizes}) and {rising} > width * bend:"):
                f, alpha = (f"({''.join(f'{name}{q}, ' for q in moving)})" for name in ("g", "alpha"))
                guess = "width * here / (here - there)"
                self.add(f"low, high = rising_root({constant}, {f}, {alpha}, {guess}, width, begin)")
                accuracy = self.place("accuracy", 0, "", "float64")
                self.add(f"{accuracy}[0] = max({accuracy}[0], high - low + 2.2e-16 * (begin + high))")
                self.add("return offset_of(begin + high, start_w, start_off, w, window), w")
            self.add("width *= 0.5")


def plain_bounds(name: str, pattern: Pattern) -> tuple[str, str, str, str]:
    """Return value and slope of a sum of exponentials, and bounds of its bend and height from then on."""
    moving, still = _kinds(pattern)
    constant = [f"{name}{q}" for q in still]
    return (
        total([*constant, *(f"{name}{q}" for q in moving)]),
        total(f"{name}{q} * alpha{q}" for q in moving),
        total(f"max({name}{q}, 0.0) * alpha{q} * alpha{q}" for q in moving),
        total([*constant, *(f"max({name}{q}, 0.0)" for q in moving)]),
    )


def total(parts: Iterable[str]) -> str:
    """Return the source of a sum."""
    return " + ".join(parts) or "0.0"


def _kinds(pattern: Pattern) -> tuple[list[int], list[int]]:
    """Return the numbers of the terms that decay, and of the constant ones."""
    places = range(len(pattern.terms))
    return [q for q in places if not pattern.terms[q][2]], [q for q in places if pattern.terms[q][2]]
