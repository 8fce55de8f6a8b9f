"""`tocsin tickets`, `ticket ID` and what is done to a ticket by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context,
    pass_context_to_change,
    refuse_unknown,
    say,
    say_changed,
    say_cut,
    say_facts,
    say_json,
    say_table,
)
from tocsin.daemon.cli.naming import ticket_name
from tocsin.daemon.cli.options import narrowing
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.language import language
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.ticket_wording import state_name
from tocsin.daemon.tickets.lifecycle import State
from tocsin.daemon.tickets.manual import PRIORITIES


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Only those not closed.")
@narrowing("service", "client", "since", "limit", what="opened")
@as_json
@pass_context
def tickets(context: Context, open_only: bool, selection: Selection, as_json: bool) -> None:
    """List the tickets, newest first."""
    found = context.source.tickets(open_only, selection)
    if as_json:
        say_json(found)
    else:
        _show_list(context, found)
    if not found:
        refuse_unknown(context, selection)
    count = partial(context.source.ticket_count, open_only, selection)
    say_cut(context, len(found), count, selection)


def _show_list(context: Context, found: list[queries.TicketFacts]) -> None:
    _ = context.words.gettext
    reader = language(context.language)
    columns = [
        Column(_("id"), number=True),
        Column(_("state")),
        Column(_("priority")),
        Column(_("opened")),
        Column(_("client")),
        Column(_("error"), number=True),
        Column(_("subject"), text=True),
        Column(_("resolution"), text=True),
    ]
    rows = [
        [
            t.id,
            state_name(t.status, reader),
            state_name(t.priority, reader),
            t.created_at,
            t.client_id,
            t.error_id,
            t.subject,
            context.state("", t.resolution or ""),
        ]
        for t in found
    ]
    say_table(context, columns, rows, _("No tickets."))


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
    found = context.source.ticket(ticket_id)
    if found is None:
        raise click.ClickException(
            context.said("there is no ticket %(ticket)s; `tocsin tickets` lists them", ticket=ticket_id)
        )
    if as_json:
        say_json(found)
        return
    _show(context, found)


def _show(context: Context, found: queries.TicketDetail) -> None:
    _, said = context.words.gettext, context.page_words
    reader = language(context.language)
    say_facts(
        context,
        (_("ticket"), f"{found.id}, {found.subject}"),
        (_("state"), f"{state_name(found.status, reader)}, {state_name(found.priority, reader)}"),
        (_("error"), f"{found.error_id}, {found.service}: {found.title}" if found.error_id else ""),
        (_("client"), found.client_id or _("none")),
        (_("assignee"), found.assignee),
        (_("opened"), found.created_at),
        (_("origin"), said.word(found.source)),
        (_("closed"), found.closed_at),
        (_("resolution"), said.word(found.resolution or "")),
    )
    if found.watch:
        say()
        _show_watch(context, found.watch)
    for one in found.messages:
        sender = _("from the client") if one.sender == "client" else _("to the client")
        say()
        say_facts(context, (sender, one.author), (_("written"), one.created_at))
        say(one.text)
    say()
    say_table(
        context,
        [
            Column(_("moment")),
            Column(_("action")),
            Column(_("by")),
            Column(_("description"), text=True),
        ],
        [[h.created_at, said.word(h.action), h.created_by, said.history(h)] for h in found.history],
        "",
    )


def _show_watch(context: Context, watch: queries.WatchFacts) -> None:
    _ = context.words.gettext
    said, reader = context.page_words, language(context.language)
    seen = _("%(seen)s of %(required)s") % {
        "seen": said.duration(watch.seen_seconds),
        "required": said.duration(watch.required_seconds),
    }
    say_facts(
        context,
        (_("watch since"), watch.started_at),
        (_("seen alive"), seen),
        (_("could not tell"), said.duration(watch.untold_seconds) if watch.untold_seconds else ""),
        (
            _("chance anyway"),
            reader.percent(watch.chance) if watch.chance is not None else _("cannot be told"),
        ),
        (_("can close from"), watch.earliest_close or _("later")),
        (_("runs"), said.runs(watch.runs)),
        (_("waits for"), said.waiting(watch)),
    )


@ticket.command("open")
@click.argument("subject")
@click.option("--message", default="", help="What happened, in more words.")
@click.option("--client", "client_id", help="The client's id.")
@click.option("--from-client", is_flag=True, help="The client wrote it: its mail says that it has arrived.")
@click.option("--error", "error_id", type=int, help="The error it is about.")
@click.option("--priority", type=click.Choice(PRIORITIES), help="Default: tickets.priority.")
@click.option("--category", help="Default: tickets.category.")
@by_option
@pass_context_to_change
def open_(context: Context, /, subject: str, message: str, by: str, from_client: bool, **given: Any) -> None:
    """Open a ticket by hand. Its client reads SUBJECT and the message."""
    if from_client:
        made = _open_for_client(context, subject, message, by, **given)
        say_changed(
            context, context.said("ticket %(ticket)s is open", ticket=made), ticket_name(context, made)
        )
        return
    made = context.source.open_ticket(subject, message or subject, by, **given)
    say_changed(context, context.said("ticket %(ticket)s is open", ticket=made), ticket_name(context, made))


def _open_for_client(
    context: Context,
    subject: str,
    message: str,
    by: str,
    *,
    client_id: str | None,
    error_id: int | None,
    priority: str | None,
    category: str | None,
) -> int:
    if client_id is None or error_id is not None or category is not None:
        raise click.UsageError(
            context.said("--from-client goes with --client, and without --error and --category")
        )
    return context.source.open_for_client(client_id, subject, message or subject, by, priority)


@ticket.command()
@click.argument("ticket_id", type=int)
@click.option("--note", default="", help="Why; the client reads it.")
@by_option
@pass_context_to_change
def close(context: Context, ticket_id: int, note: str, by: str) -> None:
    """Close a ticket by hand."""
    context.source.close(ticket_id, by, note)
    say_changed(
        context,
        context.said("ticket %(ticket)s is closed", ticket=ticket_id),
        ticket_name(context, ticket_id),
    )


@ticket.command()
@click.argument("ticket_id", type=int)
@click.option("--note", default="", help="Why; the client reads it.")
@by_option
@pass_context_to_change
def reopen(context: Context, ticket_id: int, note: str, by: str) -> None:
    """Open a closed ticket again."""
    context.source.reopen(ticket_id, by, note)
    say_changed(
        context, context.said("ticket %(ticket)s is open", ticket=ticket_id), ticket_name(context, ticket_id)
    )


@ticket.command("set")
@click.argument("ticket_id", type=int)
@click.option("--priority", type=click.Choice(PRIORITIES))
@click.option("--category")
@click.option("--subject", help="What its client reads it is about.")
@click.option("--status", type=click.Choice([state.value for state in State]))
@by_option
@pass_context_to_change
def set_(context: Context, /, ticket_id: int, status: str | None, by: str, **given: str | None) -> None:
    """Set a ticket's priority, category, subject or status."""
    columns = {name: value for name, value in given.items() if value is not None}
    if not columns and status is None:
        raise click.UsageError(context.said("say what to set: --priority, --category, --subject or --status"))
    context.source.change_ticket(ticket_id, by, columns, status)
    if status is not None:
        columns["status"] = status
    changes = ", ".join(f"{name} {value}" for name, value in columns.items())
    said = context.said("ticket %(ticket)s: %(changes)s", ticket=ticket_id, changes=changes)
    say_changed(context, said, ticket_name(context, ticket_id))


@ticket.command()
@click.argument("ticket_id", type=int)
@click.argument("text")
@by_option
@pass_context_to_change
def note(context: Context, ticket_id: int, text: str, by: str) -> None:
    """Add a note to a ticket's history."""
    context.source.note_ticket(ticket_id, text, by)
    say_changed(
        context, context.said("noted on ticket %(ticket)s", ticket=ticket_id), ticket_name(context, ticket_id)
    )


@ticket.command()
@click.argument("ticket_id", type=int)
@click.argument("text")
@click.option("--from-client", is_flag=True, help="The client said it, perhaps by telephone.")
@by_option
@pass_context_to_change
def message(context: Context, ticket_id: int, text: str, from_client: bool, by: str) -> None:
    """Write to the client of a ticket: TEXT is mailed to it."""
    context.source.write_message(ticket_id, text, by, "client" if from_client else "team")
    said = (
        context.said("kept as the client's on ticket %(ticket)s", ticket=ticket_id)
        if from_client
        else context.said("written to the client on ticket %(ticket)s", ticket=ticket_id)
    )
    say_changed(context, said, ticket_name(context, ticket_id))


@ticket.command()
@click.argument("ticket_id", type=int)
@click.argument("name")
@by_option
@pass_context_to_change
def assign(context: Context, ticket_id: int, name: str, by: str) -> None:
    """Say who sees to a ticket; '' for nobody."""
    context.source.assign_ticket(ticket_id, name, by)
    said = (
        context.said("ticket %(ticket)s is assigned to %(name)s", ticket=ticket_id, name=name)
        if name
        else context.said("ticket %(ticket)s is assigned to nobody", ticket=ticket_id)
    )
    say_changed(context, said, ticket_name(context, ticket_id))
