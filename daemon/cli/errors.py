"""`tocsin errors`, `error ID`, `resolve ERROR_ID`."""

from __future__ import annotations

import click

from tocsin.daemon import clock
from tocsin.daemon.cli.context import Context, as_json, by_option, pass_context, say, say_json, say_table
from tocsin.daemon.manual import Manual
from tocsin.reports import facts


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Only those not resolved.")
@as_json
@pass_context
def errors(context: Context, open_only: bool, as_json: bool) -> None:
    """List the errors, newest first."""
    found = facts.errors(context.store, open_only=open_only)
    if as_json:
        say_json(found)
        return
    rows = [
        [
            e.id,
            e.service,
            e.occurrences,
            e.last_seen,
            e.open_tickets,
            "resolved" if e.resolved else "",
            e.title,
        ]
        for e in found
    ]
    say_table(
        ["id", "service", "times", "last seen", "tickets", "", "error"], rows, "No errors. All is quiet."
    )


@click.command()
@click.argument("error_id", type=int)
@as_json
@pass_context
def error(context: Context, error_id: int, as_json: bool) -> None:
    """Everything known about one error."""
    found = facts.error(context.store, error_id)
    if found is None:
        raise click.ClickException(f"there is no error {error_id}; `tocsin errors` lists them")
    if as_json:
        say_json(found)
        return
    say(f"error {found.id}  {found.title}")
    say(f"{found.service} {found.environment}  {found.source}:{found.line}")
    say(f"{found.occurrences} times, first {found.first_seen}, last {found.last_seen}")
    say(f"signature {found.signature}{'  resolved' if found.resolved else ''}")
    say()
    say(found.message)
    say()
    say_table(
        ["moment", "what", "text", "by"],
        [[h.at, h.kind, h.text, h.by] for h in found.timeline],
        "Nothing has happened to it yet.",
    )


@click.command()
@click.argument("error_id", type=int)
@by_option
@pass_context
def resolve(context: Context, error_id: int, by: str) -> None:
    """Mark an error resolved by hand; its open tickets close."""
    closed = Manual(context.store, context.config).resolve(error_id, by, clock.now())
    tickets = ", ".join(map(str, closed))
    say(f"error {error_id} is resolved" + (f"; closed: ticket {tickets}" if closed else ""))
