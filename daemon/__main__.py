"""The command `tocsin`; in an environment without the daemon's extra what the base install can do of it."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

NEEDED = ("click", "rich", "peewee", "structlog", "dotenv", "schedule", "yagmail", "jinja2", "babel", "idna")
"""What the extra `daemon` brings, by import name."""


def main() -> None:
    """Runs a command; only the part that is there is imported."""
    if all(find_spec(name) for name in NEEDED):
        import_module("tocsin.daemon.cli").main()
    else:
        sys.exit(import_module("tocsin.handler.__main__").base_install(sys.argv[1:]))


if __name__ == "__main__":
    main()
