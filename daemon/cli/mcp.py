"""`tocsin mcp`: the errors for a coding agent, over the Model Context Protocol."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

from tocsin.daemon.cli.context import Context, by_option, pass_context_to_change
from tocsin.daemon.cli.wording import told
from tocsin.daemon.failure import WrongUse
from tocsin.daemon.runtime import clock


@click.command()
@click.option(
    "--write", is_flag=True, help="The agent may claim errors, and record corrections, tests and notes."
)
@by_option
@pass_context_to_change
def mcp(context: Context, write: bool, by: str) -> None:
    """Answer a coding agent over the Model Context Protocol, on standard input and output."""
    if not find_spec("mcp"):
        raise WrongUse(told("an agent's server needs more: pip install 'tocsin[agents]'"))
    server = import_module("tocsin.reports.mcp.stdio")
    server.serve(context.store, context.config, by, clock.now, write=write)
