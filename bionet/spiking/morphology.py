"""The compartments of a neuron as a tree of points, in the order in which its potential is solved for.

A section is a row of compartments. Where others leave it, its far end is a point too: a branching point, which has a
potential and no membrane. Ends that nothing leaves are sealed, and no point of their own: no current flows there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tree(NamedTuple):
    """Points, each after the one that is nearer to the root; the first is the root.

    Attributes
    ----------
    compartment : array of int, shape (n_points,)
        The compartment that a point is; -1 for a branching point.
    parent : array of int, shape (n_points,)
        The next point toward the root; the root's own is 0.
    toward : array, shape (n_points,)
        The axial conductance to that point [S]; the root's is 0.
    """

    compartment: NDArray
    parent: NDArray
    toward: NDArray


def tree(
    starts: NDArray, ends: NDArray, parents: NDArray, to_start: NDArray, to_end: NDArray, resistivity: float
) -> Tree:
    """Return the tree of points of a morphology.

    Axial resistances of halves of compartments add up: :math:`1/g = R_i (1/r_2 + 1/r_1)`.

    Parameters
    ----------
    starts, ends : arrays of int, shape (n_sections,)
        Section s consists of the compartments ``starts[s]`` to ``ends[s] - 1``; it comes after its parent.
    parents : array of int, shape (n_sections,)
        The section that section s leaves, counted from 1; 0 for the root.
    to_start, to_end : arrays, shape (n_compartments,)
        Cross-section over length of the half of a compartment nearer to, and farther from the root [m].
    resistivity : float
        Of the inside [ohm m].

    Returns
    -------
    Tree

    Examples
    --------
    A stem of two compartments and two branches of one each; the branching point is the third.

    >>> import numpy as np
    >>> same = np.ones(4)
    >>> points = tree(np.array([0, 2, 3]), np.array([2, 3, 4]), np.array([0, 1, 1]), same, same, 0.5)
    >>> points.compartment.tolist(), points.parent.tolist(), points.toward.tolist()
    ([0, 1, -1, 2, 3], [0, 0, 1, 2, 2], [0.0, 1.0, 2.0, 2.0, 2.0])
    """
    branching: dict[int, int] = {}
    compartment, parent, toward = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    n = 0
    for section, (start, end, before) in enumerate(zip(starts.tolist(), ends.tolist(), parents.tolist(), strict=True)):
        inner = 1.0 / (resistivity * (1.0 / to_end[start : end - 1] + 1.0 / to_start[start + 1 : end]))
        outer = to_start[start] / resistivity if section else 0.0
        compartment.append(np.arange(start, end))
        parent.append(np.arange(n - 1, n - 1 + end - start))
        parent[-1][0] = branching[before] if section else 0
        toward += [np.array([outer]), inner]
        n += end - start
        if section + 1 in parents:
            branching[section + 1] = n
            compartment.append(np.array([-1]))
            parent.append(np.array([n - 1]))
            toward.append(np.array([to_end[end - 1] / resistivity]))
            n += 1
    return Tree(np.concatenate(compartment), np.concatenate(parent), np.concatenate(toward))
