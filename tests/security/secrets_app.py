"""A program that carries secrets and fails with each: ENDPOINT SPOOL DIRECTORY.

The directory holds `planted.json` (each fails three times), `surrounded.json` (each twice: in a message, in an
exception and its variables) and `careless_lines.py`, whose source lines hold secrets.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

from tocsin.handler import TocsinHandler, bind

NOBODY = "ipc:///nonexistent/socket"
"""Where no daemon is: all stays in the spool."""

log = logging.getLogger("careless")


class Holder:
    """Holds something under a name."""

    def __init__(self, name: str, secret: str) -> None:
        setattr(self, name, secret)


def fail(destination: str, around: str, secret: str) -> None:
    """Logs an error of this kind."""
    if destination == "message":
        log.error(around.format(secret))
    elif destination == "args":
        log.error(around, secret)
    elif destination == "context":
        with bind(**{around: secret}):
            log.error("something failed with context")
    else:
        try:
            FAILURES[destination](around)(secret)
        except ValueError:
            log.exception("something failed by its %s", destination)


def with_text(around: str) -> Any:
    """A function whose exception says it."""
    scope: dict[str, Any] = {}
    source = f"def raising(secret):\n    raise ValueError({around!r}.format(secret))\n"
    exec(source, scope)
    return scope["raising"]


def with_local(name: str) -> Any:
    """A function that holds it in a local variable of that name."""
    scope: dict[str, Any] = {}
    exec(f"def holding({name}):\n    raise ValueError('no')\n", scope)
    return scope["holding"]


def with_key(name: str) -> Any:
    def holding(secret: str) -> None:
        settings = {"debug": True, "inner": {name: secret}, name: secret}
        raise ValueError(len(settings))

    return holding


def with_value(around: str) -> Any:
    def holding(secret: str) -> None:
        target = around.format(secret)
        targets = [target]
        raise ValueError(len(targets))

    return holding


def with_attribute(name: str) -> Any:
    def holding(secret: str) -> None:
        holder = Holder(name, secret)
        raise ValueError(type(holder).__name__)

    return holding


FAILURES = {
    "exception": with_text,
    "local": with_local,
    "key": with_key,
    "value": with_value,
    "attribute": with_attribute,
}


def fail_around(around: str, text: str) -> None:
    """Two errors, each the same one for all secrets in like surroundings."""
    log.error(around + ": %s", text)
    try:
        with_command(text.splitlines(), text)
    except ValueError:
        log.exception(around)


def with_command(command: list[str], target: str) -> None:
    raise ValueError(target)


def fail_by_lines() -> None:
    """Runs the functions of the module beside; each fails in a line that holds a secret."""
    module = importlib.import_module("careless_lines")
    for name in sorted(vars(module)):
        if name.startswith("fail"):
            try:
                vars(module)[name]()
            except RuntimeError:
                log.exception("a careless line failed")


def main() -> None:
    """Fails with each planted secret often enough for a ticket."""
    endpoint, spool, directory = sys.argv[1:]
    sys.path.insert(0, directory)
    handler = TocsinHandler(endpoint, "careless", spool=spool, client="martin", flush_timeout=30)
    log.addHandler(handler)
    log.propagate = False
    for destination, around, secret in json.loads(Path(directory, "planted.json").read_text()):
        for _ in range(3):
            fail(destination, around, secret)
    for around, text in json.loads(Path(directory, "surrounded.json").read_text()):
        fail_around(around, text)
    fail_by_lines()
    if endpoint != NOBODY and not handler.destination.await_delivery(60):
        sys.exit(f"not delivered: {handler.destination.trouble}")


if __name__ == "__main__":
    main()
