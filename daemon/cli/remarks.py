"""`tocsin assign`, `note`, `link`: what people say of an error."""

from __future__ import annotations

import click

from tocsin.daemon.cli.context import Context, by_option, pass_context_to_change, say_changed
from tocsin.daemon.cli.naming import error_name
from tocsin.daemon.runtime import clock
from tocsin.daemon.tickets import remarks


@click.command()
@click.argument("error_id", type=int)
@click.argument("name")
@by_option
@pass_context_to_change
def assign(context: Context, error_id: int, name: str, by: str) -> None:
    """Say who sees to an error; '' for nobody."""
    remarks.assign(context.store, error_id, name, by, clock.now())
    said = (
        context.said("error %(error)s is assigned to %(name)s", error=error_id, name=name)
        if name
        else context.said("error %(error)s is assigned to nobody", error=error_id)
    )
    say_changed(context, said, error_name(context, error_id))


@click.command()
@click.argument("error_id", type=int)
@click.argument("text")
@by_option
@pass_context_to_change
def note(context: Context, error_id: int, text: str, by: str) -> None:
    """Add a note for the team to an error; no client reads it."""
    remarks.note(context.store, error_id, text, by, clock.now())
    say_changed(
        context, context.said("noted on error %(error)s", error=error_id), error_name(context, error_id)
    )


@click.command()
@click.argument("error_id", type=int)
@click.argument("url")
@by_option
@pass_context_to_change
def link(context: Context, error_id: int, url: str, by: str) -> None:
    """Name the issue or pull request in which an error is dealt with; '' takes it away."""
    remarks.link(context.store, error_id, url, by, clock.now())
    said = (
        context.said("error %(error)s is linked to %(url)s", error=error_id, url=url)
        if url
        else context.said("error %(error)s has no link", error=error_id)
    )
    say_changed(context, said, error_name(context, error_id))
