"""Which events are one error: the signature and what it is computed from."""
