"""Hot loops for the processor, compiled by Numba, parallel over samples; the same numbers for any number of threads."""
