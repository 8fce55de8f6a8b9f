"""`tocsin sessions`, and `sessions gone ID` for a process that never comes back."""

from __future__ import annotations

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    refuse_unknown,
    say_changed,
    say_cut,
    say_json,
    say_table,
)
from tocsin.daemon.cli.options import invoke_narrowed, narrowing
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.queries.status import SessionFacts
from tocsin.daemon.runtime import clock
from tocsin.daemon.tickets.processes import write_off

ID_SHOWN = 8
"""Characters of a session's id that tell it from others."""


@click.group(invoke_without_command=True)
@narrowing("service", "limit")
@as_json
@click.pass_context
def sessions(click_context: click.Context, selection: Selection, as_json: bool) -> None:
    """List the processes known; `gone ID` writes off one that never comes back."""
    if click_context.invoked_subcommand is None:
        invoke_narrowed(click_context, list_, selection, as_json=as_json)


@sessions.command("list")
@narrowing("service", "limit")
@as_json
@pass_context
def list_(context: Context, selection: Selection, as_json: bool) -> None:
    """List the processes known, by service, newest first."""
    found = queries.status(context.store, context.config, clock.now()).sessions
    of_service = [one for one in found if selection.service in (None, one.service)]
    shown = of_service[: selection.limit]
    if as_json:
        say_json(shown)
    else:
        _show(context, shown)
    if not shown:
        refuse_unknown(context, selection)
    say_cut(context, len(shown), lambda: len(of_service), selection)


@sessions.command()
@click.argument("session_id", metavar="ID")
@pass_context_to_change
def gone(context: Context, session_id: str) -> None:
    """Write off the process ID: it never comes back, so its silence holds no ticket open."""
    session = write_off(context.store, session_id, clock.now())
    said = context.said(
        "pid %(pid)s on %(host)s is written off; what it still held is lost",
        pid=session.pid,
        host=session.host,
    )
    say_changed(context, said, session.service)


def _show(context: Context, found: list[SessionFacts]) -> None:
    _ = context.words.gettext
    columns = [
        Column(_("id")),
        Column(_("state")),
        Column(_("service")),
        Column(_("pid"), number=True),
        Column(_("last heard")),
        Column(_("backlog"), number=True),
        Column(_("host")),
        Column(_("environment")),
    ]
    rows = [
        [one.id[:ID_SHOWN], _state(context, one), one.service, one.pid, one.last_heard, one.backlog or "",
         one.host, one.environment]
        for one in found
    ]  # fmt: skip
    say_table(context, columns, rows, _("No processes."))


def _state(context: Context, session: SessionFacts) -> str:
    _ = context.words.gettext
    if session.gone_at is not None:
        return _("gone")
    if session.alive:
        return _("alive")
    return _("ended") if session.ended_at is not None and not session.backlog else _("unheard")
