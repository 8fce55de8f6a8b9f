"""How often functions begin whose errors are watched; read through `sys.monitoring`, CPython 3.12 and newer."""
