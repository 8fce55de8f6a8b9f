"""`tocsin tickets`, `ticket ID` and what is done to a ticket by hand."""

from __future__ import annotations

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context,
    pass_context_to_change,
    say,
    say_changed,
    say_json,
    say_table,
)
from tocsin.daemon.cli.naming import ticket_name
from tocsin.daemon.language import language
from tocsin.daemon.runtime import clock
from tocsin.daemon.ticket_wording import history, waiting
from tocsin.daemon.tickets.lifecycle import State
from tocsin.daemon.tickets.manual import PRIORITIES, Manual


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Only those not closed.")
@as_json
@pass_context
def tickets(context: Context, open_only: bool, as_json: bool) -> None:
    """List the tickets, newest first."""
    found = queries.tickets(context.store, open_only=open_only)
    if as_json:
        say_json(found)
        return
    rows = [
        [t.id, t.status, t.priority, t.client_id, t.error_id, t.created_at, t.resolution, t.subject]
        for t in found
    ]
    columns = ["id", "status", "priority", "client", "error", "opened", "resolution", "subject"]
    say_table(columns, rows, "No tickets.")


class _ShowByNumber(click.Group):
    """`tocsin ticket 12` shows ticket 12."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].isdigit():
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


@click.group(cls=_ShowByNumber)
def ticket() -> None:
    """One ticket: `tocsin ticket ID` shows it with its history and its watch."""


@ticket.command()
@click.argument("ticket_id", type=int)
@as_json
@pass_context
def show(context: Context, ticket_id: int, as_json: bool) -> None:
    """Show one ticket."""
    found = queries.ticket(context.store, ticket_id, context.config, clock.now())
    if found is None:
        raise click.ClickException(f"there is no ticket {ticket_id}; `tocsin tickets` lists them")
    if as_json:
        say_json(found)
        return
    reader = language(context.config.report_language)
    say(f"ticket {found.id}  {found.status}  {found.priority}  {found.subject}")
    say(f"error {found.error_id}  client {found.client_id or 'none'}  {found.created_at} {found.source}")
    if found.closed_at:
        say(f"closed {found.closed_at}: {found.resolution}")
    if found.watch:
        watch = found.watch
        say(
            f"watch since {watch.started_at}: seen alive {watch.seen_seconds:.0f} s of "
            f"{watch.required_seconds:.0f} s; can close at the earliest {watch.earliest_close or 'later'}"
        )
        if watch.waiting_for:
            say(f"waits for {waiting(watch.waiting, reader) or watch.waiting_for}")
    say()
    say_table(
        ["moment", "action", "by", "description"],
        [
            [h.created_at, h.action, h.created_by, history(h.action, h.details, h.description, reader)]
            for h in found.history
        ],
        "",
    )


@ticket.command("open")
@click.argument("subject")
@click.option("--message", default="", help="What happened, in more words.")
@click.option("--client", "client_id", help="The client's id.")
@click.option("--error", "error_id", type=int, help="The error it is about.")
@by_option
@pass_context_to_change
def open_(
    context: Context, subject: str, message: str, client_id: str | None, error_id: int | None, by: str
) -> None:
    """Open a ticket by hand."""
    manual = Manual(context.store, context.config)
    made = manual.open(subject, message or subject, by, clock.now(), client_id=client_id, error_id=error_id)
    say_changed(context, f"ticket {made} is open", ticket_name(context, made))


@ticket.command()
@click.argument("ticket_id", type=int)
@click.option("--note", default="", help="Why.")
@by_option
@pass_context_to_change
def close(context: Context, ticket_id: int, note: str, by: str) -> None:
    """Close a ticket by hand."""
    Manual(context.store, context.config).close(ticket_id, by, clock.now(), note)
    say_changed(context, f"ticket {ticket_id} is closed", ticket_name(context, ticket_id))


@ticket.command()
@click.argument("ticket_id", type=int)
@click.option("--note", default="", help="Why.")
@by_option
@pass_context_to_change
def reopen(context: Context, ticket_id: int, note: str, by: str) -> None:
    """Open a closed ticket again."""
    Manual(context.store, context.config).reopen(ticket_id, by, clock.now(), note)
    say_changed(context, f"ticket {ticket_id} is open", ticket_name(context, ticket_id))


@ticket.command("set")
@click.argument("ticket_id", type=int)
@click.option("--priority", type=click.Choice(PRIORITIES))
@click.option("--category")
@click.option("--status", type=click.Choice([state.value for state in State]))
@by_option
@pass_context_to_change
def set_(
    context: Context, ticket_id: int, priority: str | None, category: str | None, status: str | None, by: str
) -> None:
    """Set a ticket's priority, category or status."""
    columns = {k: v for k, v in {"priority": priority, "category": category}.items() if v}
    if not columns and status is None:
        raise click.UsageError("say what to set: --priority, --category or --status")
    manual = Manual(context.store, context.config)
    if columns:
        manual.change(ticket_id, by, clock.now(), **columns)
    if status is not None:
        manual.set_status(ticket_id, status, by, clock.now())
        columns["status"] = status
    said = f"ticket {ticket_id}: " + ", ".join(f"{k} {v}" for k, v in columns.items())
    say_changed(context, said, ticket_name(context, ticket_id))


@ticket.command()
@click.argument("ticket_id", type=int)
@click.argument("text")
@by_option
@pass_context_to_change
def note(context: Context, ticket_id: int, text: str, by: str) -> None:
    """Add a note to a ticket's history."""
    Manual(context.store, context.config).note(ticket_id, text, by, clock.now())
    say_changed(context, f"noted on ticket {ticket_id}", ticket_name(context, ticket_id))
