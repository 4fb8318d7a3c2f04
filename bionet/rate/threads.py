"""Running PyTorch on one thread for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread inside a ``with``, and give it its threads back after.

    Notes
    -----
    Sums come out the same whatever the machine, and small networks run faster: a layer of 100 units takes less time
    than two threads need to meet. Numba's parallel kernels, once run, raise the number of threads of PyTorch's pool.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
