r"""The cable equation on a branching neuron: one implicit step of all its compartments.

For compartment i of area A, capacitance C, membrane conductance g and current I at v = 0 (per area), with conductances
G to its neighbours,

.. math:: A_i C_i (v_i' - v_i)/dt = A_i (I_i - g_i v_i') + \sum_k G_{ik} (v_k' - v_i'),

and at a branching point the right-hand sum is zero. The points are a tree: one pass from the tips to the root and one
back solve it (Hines 1984). What a branch adds to the point it hangs on is its own conductance in series with the one
between them, :math:`G L/(G + L)`. Written so, nothing is ever subtracted, and a soma whose inside conducts a million
times better than its membrane costs no digits.

References
----------
Hines M (1984). Efficient computation of branched nerve equations. Int J Biomed Comput 15:69-76.
"""

from __future__ import annotations

from numba import njit

__all__ = ("diffuse",)


@njit(cache=True, error_model="numpy")
def diffuse(v, charging, capacitance, area, conductance, current, dt, compartment, parent, toward, work):
    """Move ``v`` by a step ``dt`` and set what charges each membrane, ``capacitance (v' - v)/dt``.

    ``compartment`` is unsigned: a branching point, -1, is beyond all compartments.
    """
    n = parent.size
    # Of each point: conductance and current of all that hangs on it; then what it takes over of its parent's
    # potential, and what its own would be if the parent's were zero.
    load, source, share = work[:n], work[n : 2 * n], work[2 * n :]
    for k in range(n):
        i = compartment[k]
        if i < v.size:
            capacity = area[i] * (capacitance[i] / dt)
            load[k] = capacity + area[i] * conductance[i]
            source[k] = capacity * v[i] + area[i] * current[i]
        else:
            load[k] = 0.0
            source[k] = 0.0
    for k in range(n - 1, 0, -1):
        inverse = 1.0 / (toward[k] + load[k])
        share[k] = toward[k] * inverse
        load[parent[k]] += share[k] * load[k]
        source[parent[k]] += share[k] * source[k]
        source[k] *= inverse
    source[0] /= load[0]
    for k in range(n):
        if k > 0:
            source[k] += share[k] * source[parent[k]]
        i = compartment[k]
        if i < v.size:
            charging[i] = capacitance[i] * (source[k] - v[i]) / dt
            v[i] = source[k]
