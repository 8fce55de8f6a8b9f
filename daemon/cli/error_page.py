"""`tocsin error ID`: all that the error's page has, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import Context, say, say_facts, say_table
from tocsin.daemon.cli.tables import Column, brief, printable
from tocsin.daemon.queries.details import SampleFacts
from tocsin.daemon.queries.monitor import most_urgent, state
from tocsin.daemon.queries.samples import EventFacts, FrameFacts, RaisedFacts
from tocsin.daemon.runtime import clock

AROUND = 2
"""Lines of source shown before and after the line of the innermost call of ours."""
VALUE_SHOWN = 200
"""Characters of a variable's value."""
TEXT_SHOWN = 500
"""Characters of a text's first line."""
SAMPLES_LISTED = 20
CLIENTS_LISTED = 20


def show(context: Context, error: queries.ErrorDetail, sample_id: int | None) -> None:
    """Prints the page, with one sample in full: the newest, or the one that is named.

    Raises ClickException when there is no such sample.
    """
    readable = [sample for sample in error.samples if sample.event is not None]
    chosen = next((one for one in readable if sample_id in (None, one.id)), None)
    if sample_id is not None and chosen is None:
        known = ", ".join(str(one.id) for one in readable[:SAMPLES_LISTED]) or "none"
        raise click.ClickException(
            context.said(
                "error %(error)s has no sample %(sample)s; it has %(known)s",
                error=error.id, sample=sample_id, known=known,
            )
        )  # fmt: skip
    _show_facts(context, error)
    if chosen is not None and chosen.event is not None:
        _show_sample(context, chosen, chosen.event)
    _show_samples(context, error)
    _show_tickets(context, error)
    _show_corrections(context, error)
    _show_timeline(context, error)


def _heading(text: str) -> None:
    say()
    click.secho(printable(text), bold=True)


def _show_facts(context: Context, error: queries.ErrorDetail) -> None:
    _, said = context.words.gettext, context.page_words
    urgent = most_urgent(ticket.status for ticket in error.tickets)
    rate = error.muted_rate
    say_facts(
        context,
        (_("error"), f"{error.id}, {error.title}"),
        (_("message"), _first_line(error.message) if error.message != error.title else ""),
        (_("state"), said.word(state(error, urgent, clock.now()))),
        (_("service"), error.service),
        (_("environment"), error.environment),
        (_("place"), f"{error.source}:{error.line}" + (f", {error.function}" if error.function else "")),
        (_("times"), error.occurrences),
        (_("first seen"), error.first_seen),
        (_("last seen"), error.last_seen),
        (_("muted until"), error.muted_until),
        (_("muted until it exceeds"), "" if rate is None else _("%(rate)g an hour") % {"rate": rate}),
        (_("part of error"), error.merged_into),
        (
            _("clients"),
            ", ".join(f"{one.name or one.id} ({one.count})" for one in error.clients[:CLIENTS_LISTED]),
        ),
        (_("releases"), ", ".join(error.releases)),
        (_("since release"), error.seen_in[0].release if error.seen_in else ""),
        (_("hosts"), ", ".join(error.hosts)),
        (_("signature"), error.signature),
    )


def _show_sample(context: Context, sample: SampleFacts, event: EventFacts) -> None:
    _ = context.words.gettext
    _heading(_("What happened: sample %(id)s") % {"id": sample.id})
    host = f"{sample.host} ({sample.pid})" if sample.host and sample.pid else sample.host
    say_facts(
        context,
        (_("moment"), sample.occurred_at),
        (_("client"), sample.client_id),
        (_("host"), host),
        (_("release"), sample.release),
        (_("Python"), sample.python),
        (_("logged"), _logged(context, event)),
        (_("context"), ", ".join(f"{name}={value}" for name, value in event.context.items())),
    )
    _say_lines(event.message)
    for raised in event.exceptions:
        _show_raised(context, raised)
    if not event.exceptions and event.place.source:
        _say_source(event.place, around=AROUND)
    if event.breadcrumbs:
        _heading(_("Logged before it"))
        for one in event.breadcrumbs:
            say(f"  {one.line}")
    if event.stack:
        _heading(_("Stack of the logging call"))
        _say_lines(event.stack)


def _logged(context: Context, event: EventFacts) -> str:
    said = context.words.gettext("as %(level)s by %(logger)s, thread %(thread)s")
    task = context.words.gettext(", task %(task)s") % {"task": event.task} if event.task else ""
    known = {"level": event.level_name, "logger": event.logger, "thread": event.thread or "-"}
    return said % known + task


def _show_raised(context: Context, raised: RaisedFacts) -> None:
    """One exception: its calls, the innermost last, as Python prints them."""
    _ = context.words.gettext
    say()
    if raised.relation != "raised":
        say(context.page_words.word(f"relation_{raised.relation}"))
    if raised.skipped:
        say(_("(%(count)s exceptions are left out)") % {"count": raised.skipped})
    innermost = next((frame for frame in reversed(raised.frames) if frame.in_app), None)
    for frame in raised.frames:
        _show_frame(frame, around=AROUND if frame is innermost else 0)
    if raised.omitted:
        say(_("(%(count)s calls in the middle are left out)") % {"count": raised.omitted})
    click.secho(printable(f"{raised.type}: {raised.text}" if raised.text else raised.type), bold=True)
    for line in (*raised.notes, *(raised.syntax or ()), *raised.others):
        say(f"  {line}")


def _show_frame(frame: FrameFacts, *, around: int) -> None:
    """A call; those of libraries are dim and without their variables."""
    click.secho(printable(f"  {frame.path}:{frame.line}, {frame.function}"), dim=not frame.in_app)
    if not frame.in_app:
        return
    _say_source(frame, around=around)
    for name, value in frame.locals.items():
        say(f"      {name} = {brief(value, VALUE_SHOWN)}")


def _say_source(frame: FrameFacts, *, around: int) -> None:
    for number, line in _lines(frame, around):
        mark = ">" if number == frame.line and around else " "
        click.echo(printable(f"    {mark} {number:>4}  {line}"))


def _lines(frame: FrameFacts, around: int) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(frame.source, frame.first):
        if abs(number - frame.line) <= around:
            yield number, line
    if not frame.source and frame.statement:
        yield frame.line, frame.statement


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        say(f"  {line}")


def _show_samples(context: Context, error: queries.ErrorDetail) -> None:
    _ = context.words.gettext
    if error.samples_kept < 2:
        return
    _heading(_("Samples (`--sample ID` shows one)"))
    columns = [
        Column(_("id"), number=True),
        Column(_("moment")),
        Column(_("client")),
        Column(_("host")),
        Column(_("release")),
        Column(_("text"), text=True),
    ]
    rows = [
        [one.id, one.occurred_at, one.client_id, one.host, one.release, brief(_text(one), VALUE_SHOWN)]
        for one in error.samples[:SAMPLES_LISTED]
    ]
    say_table(context, columns, rows, "")
    if error.samples_kept > len(rows):
        say(_("%(count)s older ones are kept") % {"count": error.samples_kept - len(rows)})


def _text(sample: SampleFacts) -> str:
    if sample.event is None:
        return ""
    raised = next(iter(sample.event.exceptions), None)
    beside = f": {raised.type.rpartition('.')[2]}: {raised.text}" if raised else ""
    return _first_line(sample.event.message) + beside


def _first_line(text: str) -> str:
    """Of a text that may be a whole traceback; the sample shows it all."""
    return brief(text.partition("\n")[0], TEXT_SHOWN)


def _show_tickets(context: Context, error: queries.ErrorDetail) -> None:
    _ = context.words.gettext
    _heading(_("Tickets"))
    columns = [
        Column(_("id"), number=True),
        Column(_("state")),
        Column(_("client")),
        Column(_("opened")),
        Column(_("closed")),
        Column(_("subject"), text=True),
    ]
    rows = [
        [t.id, context.state("", t.status), t.client_id, t.created_at, t.closed_at, t.subject]
        for t in error.tickets
    ]
    say_table(context, columns, rows, _("None: it was not seen often enough within the window."))


def _show_corrections(context: Context, error: queries.ErrorDetail) -> None:
    _ = context.words.gettext
    if not error.corrections_recorded:
        return
    _heading(_("Corrections (`tocsin corrections %(id)s` shows the code)") % {"id": error.id})
    columns = [
        Column(_("id"), number=True),
        Column(_("applied")),
        Column(_("by")),
        Column(_("tests")),
        Column(_("file")),
        Column(_("description"), text=True),
    ]
    rows = [
        [
            one.id,
            one.applied_at,
            one.applied_by,
            context.page_words.word(f"tests_{one.test_status}"),
            one.file_path,
            one.description,
        ]
        for one in error.corrections_recorded
    ]
    say_table(context, columns, rows, "")


def _show_timeline(context: Context, error: queries.ErrorDetail) -> None:
    _, said = context.words.gettext, context.page_words
    _heading(_("Timeline"))
    columns = [
        Column(_("moment")),
        Column(_("ticket"), number=True),
        Column(_("by")),
        Column(_("what"), text=True),
    ]
    rows = [
        [
            h.at,
            h.ticket_id,
            h.by,
            ": ".join(filter(None, (said.word(h.kind), _first_line(said.happening(h))))),
        ]
        for h in error.timeline
    ]
    say_table(context, columns, rows, "")
