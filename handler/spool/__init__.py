"""The files in which events stand until the daemon has acknowledged them."""
