"""`tocsin status` and `check`."""

from __future__ import annotations

import sys

import click
from msgspec import structs

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    refuse_unknown,
    say,
    say_cut,
    say_facts,
    say_json,
    say_table,
)
from tocsin.daemon.cli.options import narrowing
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.language import language
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.queries.status import SessionFacts
from tocsin.daemon.runtime import clock
from tocsin.daemon.ticket_wording import waiting
from tocsin.daemon.tickets.evidence import Finding
from tocsin.daemon.tickets.watch import WatchSweep, facts


@click.command()
@narrowing("service", "limit")
@as_json
@pass_context
def status(context: Context, selection: Selection, as_json: bool) -> None:
    """Is it alive? Sessions, backlog, last check, mails, losses. Exit 1 when the daemon is not running."""
    found = context.source.status()
    of_service = [one for one in found.sessions if selection.service in (None, one.service)]
    shown = of_service[: selection.limit]
    if as_json:
        say_json(structs.replace(found, sessions=shown))
    else:
        _show_status(context, found, shown)
    if not shown:
        refuse_unknown(context, selection)
    say_cut(context, len(shown), lambda: len(of_service), selection)
    if not found.alive:
        sys.exit(1)


def _show_status(context: Context, found: queries.StatusFacts, sessions: list[SessionFacts]) -> None:
    _ = context.words.gettext
    mails = found.outbox
    events = [
        _("%(count)s counted") % {"count": found.events_counted},
        _("%(count)s quarantined") % {"count": found.quarantined},
        _("%(count)s messages dropped") % {"count": found.dropped} if found.dropped else "",
    ]
    alive = [session for session in sessions if session.alive]
    say_facts(
        context,
        (_("daemon"), _("running") if found.alive else _("NOT running")),
        (_("database"), found.database),
        (_("events"), ", ".join(filter(None, events))),
        (_("lost"), ", ".join(f"{count} {reason}" for reason, count in found.lost.items()) or _("none")),
        (_("backlog"), context.page_words.size(found.backlog)),
        (
            _("mails"),
            _("%(waiting)s waiting, %(sent)s sent, %(failed)s failed")
            % {"waiting": mails.waiting, "sent": mails.sent, "failed": mails.failed},
        ),
        (_("last check"), found.last_check or _("none yet")),
        (_("sessions"), _("%(alive)s alive of %(all)s known") % {"alive": len(alive), "all": len(sessions)}),
    )
    columns = [
        Column(_("service")),
        Column(_("pid"), number=True),
        Column(_("last heard")),
        Column(_("host")),
        Column(_("environment")),
        Column(_("backlog"), number=True),
        Column(_("clock")),
    ]
    rows = [
        [s.service, s.pid, s.last_heard, s.host, s.environment, s.backlog or "", _clock(s)] for s in alive
    ]
    if rows:
        say()
        say_table(context, columns, rows, "")
    for problem in context.source.problems(found, context.page_words.catalogue):
        say(f"! {problem}")


def _clock(session: SessionFacts) -> str:
    """How far the application's clock is ahead of the daemon's; '' when it is not."""
    return f"{-session.clock_offset:+.0f} s" if session.clock_offset else ""


@click.command()
@as_json
@pass_context_to_change
def check(context: Context, as_json: bool) -> None:
    """Run the hourly check now."""
    findings = WatchSweep(context.store, context.config).run(clock.now())
    if as_json:
        say_json([{"error_id": error_id, **_finding(found)} for error_id, found in findings.items()])
        return
    _ = context.words.gettext
    reader = language(context.language)
    columns = [
        Column(_("error"), number=True),
        Column(_("verdict")),
        Column(_("seen alive")),
        Column(_("chance")),
        Column(_("waits for"), text=True),
    ]
    rows = [
        [
            error_id,
            found.verdict,
            reader.duration(found.seen_seconds) if found.seen_seconds else "",
            _("cannot be told") if found.chance is None else reader.percent(found.chance),
            waiting(facts(found), reader),
        ]
        for error_id, found in findings.items()
    ]
    say_table(context, columns, rows, _("No error is being watched."))


def _finding(found: Finding) -> dict[str, object]:
    return {
        "verdict": found.verdict,
        "seen_seconds": found.seen_seconds,
        "waiting_for": waiting(facts(found)),
        "untold_seconds": found.untold_seconds,
        "chance": found.chance,
    }
