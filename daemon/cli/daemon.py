"""`tocsin daemon`: the daemon itself, in the foreground."""

from __future__ import annotations

import click

from tocsin.daemon.cli.context import Context, pass_context
from tocsin.daemon.run import run


@click.command()
@pass_context
def daemon(context: Context) -> None:
    """Run the daemon in the foreground."""
    run(context.config)
