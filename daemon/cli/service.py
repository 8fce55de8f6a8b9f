"""`tocsin daemon`, `status`, `check`."""

from __future__ import annotations

import sys

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    say,
    say_json,
    say_table,
)
from tocsin.daemon.language import Language, language
from tocsin.daemon.queries.status import SessionFacts
from tocsin.daemon.run import run
from tocsin.daemon.runtime import clock
from tocsin.daemon.ticket_wording import ENGLISH, waiting
from tocsin.daemon.tickets.evidence import Finding
from tocsin.daemon.tickets.watch import WatchSweep, facts


@click.command()
@pass_context
def daemon(context: Context) -> None:
    """Run the daemon in the foreground."""
    run(context.config)


@click.command()
@as_json
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Is it alive? Sessions, backlog, last check, mails, losses. Exit 1 when the daemon is not running."""
    found = queries.status(context.store, context.config, clock.now())
    if as_json:
        say_json(found)
    else:
        _show_status(found)
    if not found.alive:
        sys.exit(1)


def _show_status(found: queries.StatusFacts) -> None:
    say(f"daemon      {'running' if found.alive else 'NOT running'}")
    say(f"database    {found.database}")
    dropped = f", {found.dropped} messages dropped" if found.dropped else ""
    say(f"events      {found.events_counted} counted, {found.quarantined} quarantined{dropped}")
    lost = ", ".join(f"{count} {reason}" for reason, count in found.lost.items()) or "none"
    say(f"lost        {lost}")
    say(f"backlog     {found.backlog} bytes")
    mails = found.outbox
    say(f"mails       {mails.waiting} waiting, {mails.sent} sent, {mails.failed} failed")
    say(f"last check  {found.last_check or 'none yet'}")
    alive = [session for session in found.sessions if session.alive]
    say(f"sessions    {len(alive)} alive of {len(found.sessions)} known")
    columns = ["service", "environment", "host", "pid", "last heard", "backlog", "clock"]
    rows = [[s.service, s.environment, s.host, s.pid, s.last_heard, s.backlog, _clock(s)] for s in alive]
    if rows:
        say_table(columns, rows, "")
    for problem in found.problems:
        say(f"! {problem}")


def _clock(session: SessionFacts) -> str:
    """How far the application's clock is ahead of the daemon's; '' when it is not."""
    return f"{-session.clock_offset:+.0f} s" if session.clock_offset else ""


@click.command()
@as_json
@pass_context_to_change
def check(context: Context, as_json: bool) -> None:
    """Run the hourly round now."""
    findings = WatchSweep(context.store, context.config).run(clock.now())
    if as_json:
        say_json([{"error_id": error_id, **_finding(found)} for error_id, found in findings.items()])
        return
    reader = language(context.config.report_language)
    rows = [[error_id, *_finding(found, reader).values()] for error_id, found in findings.items()]
    say_table(["error", "verdict", "seen (s)", "waiting for", "chance"], rows, "No error is being watched.")


def _finding(found: Finding, reader: Language = ENGLISH) -> dict[str, object]:
    return {
        "verdict": found.verdict,
        "seen_seconds": found.seen_seconds,
        "waiting_for": waiting(facts(found), reader),
        "chance": found.chance,
    }
