"""Hot loops as array arithmetic, for CuPy on a GPU: the names, arguments and draws of those in ``kernels/cpu``.

They take NumPy arrays as well, which is how they are tested where there is no GPU. Sums are made in another order than
on the processor, so results agree to rounding.
"""
