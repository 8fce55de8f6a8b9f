"""`tocsin console`: the console by itself, in the foreground."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

from tocsin.daemon import config_console
from tocsin.daemon.cli.context import Context, pass_context_to_change
from tocsin.daemon.failure import WrongUse
from tocsin.daemon.log import log

NEEDED = ("starlette", "uvicorn", "argon2")
"""What the extra `console` brings, by import name."""


@click.command()
@pass_context_to_change
def console(context: Context) -> None:
    """Serve the pages with buttons that act, until it is stopped."""
    if not context.config.console.listen:
        raise WrongUse('console.listen is "": say where, such as "127.0.0.1:7580"')
    if not is_installed():
        raise WrongUse("the console needs more: pip install 'tocsin[console]'")
    address = config_console.address(context.config.console)
    server = import_module("tocsin.reports.console.server")
    server.serve(context.store, context.config, lambda: log.info("console_up", address=address))


def is_installed() -> bool:
    """Whether what it is made with is there."""
    return all(find_spec(name) for name in NEEDED)
