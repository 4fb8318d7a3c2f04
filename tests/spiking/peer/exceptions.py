"""Tests of Brian2 that the device cannot pass by design, with the reason; at most three."""

EXCEPTIONS: dict[str, str] = {
    "test_synapses.py:test_ufunc_at_vectorisation": "it counts messages of Brian2's NumPy target about code that it "
    "cannot vectorise; the device compiles a loop and has no such code",
}
