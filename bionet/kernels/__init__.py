"""Shared hot loops: arrays in, arrays out, no class above; one folder for each kind of device."""
