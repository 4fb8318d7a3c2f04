"""The same question, put to every kind of network, measured by the same probes."""
