"""Tests of Brian2 that the device cannot pass by design, with the reason; at most three."""

EXCEPTIONS: dict[str, str] = {}
