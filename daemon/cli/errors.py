"""`tocsin errors`, `error ID`, and what is done to an error by hand: `resolve`, `mute`, `unmute`, `merge`."""

from __future__ import annotations

from functools import partial
from posixpath import basename

import click

from tocsin.daemon import queries
from tocsin.daemon.cli import error_page
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
    say_json,
    say_table,
    user_name,
)
from tocsin.daemon.cli.naming import error_name
from tocsin.daemon.cli.options import narrowing
from tocsin.daemon.cli.tables import Column, brief
from tocsin.daemon.queries.monitor import state
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.runtime import clock
from tocsin.daemon.settings import Duration
from tocsin.daemon.tickets import merge as merging
from tocsin.daemon.tickets import split as splitting
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.tickets.mute import parse_rate

TEXT_SHOWN = 120
"""Characters of an error's newest text in the list."""


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Only those not resolved.")
@narrowing("service", "client", "since", "limit", what="seen")
@as_json
@pass_context
def errors(context: Context, open_only: bool, selection: Selection, as_json: bool) -> None:
    """List the errors, newest first."""
    found = context.source.errors(open_only, selection)
    if as_json:
        say_json(found)
    else:
        _show_list(context, found)
    if not found:
        refuse_unknown(context, selection)
    count = partial(context.source.error_count, open_only, selection)
    say_cut(context, len(found), count, selection)


def _show_list(context: Context, found: list[queries.ErrorFacts]) -> None:
    _ = context.words.gettext
    now = clock.now()
    states = {"resolved": _("resolved"), "muted": _("muted")}
    columns = [
        Column(_("id"), number=True),
        Column(_("state")),
        Column(_("times"), number=True),
        Column(_("last seen")),
        Column(_("service")),
        Column(_("tickets"), number=True),
        Column(_("place")),
        Column(_("error"), text=True),
    ]
    rows = [
        [
            e.id,
            states.get(state(e, "", now)),
            e.occurrences,
            e.last_seen,
            e.service,
            e.open_tickets or "",
            f"{basename(e.source)}:{e.line}",
            _told_apart(e),
        ]
        for e in found
    ]
    say_table(context, columns, rows, _("No errors. All is quiet."))


def _told_apart(error: queries.ErrorFacts) -> str:
    """The title, and the newest text where it says more: of two errors one title may stand for both."""
    newest = next(iter(error.message.splitlines()), "")
    return error.title if newest in ("", error.title) else f"{error.title} · {brief(newest, TEXT_SHOWN)}"


@click.command()
@click.argument("error_id", type=int)
@click.option("--sample", "sample_id", type=int, metavar="N", help="Show this sample instead of the newest.")
@as_json
@pass_context
def error(context: Context, error_id: int, sample_id: int | None, as_json: bool) -> None:
    """Everything known about one error."""
    found = context.source.error(error_id)
    if found is None:
        raise click.ClickException(
            context.said("there is no error %(error)s; `tocsin errors` lists them", error=error_id)
        )
    if as_json:
        say_json(found)
        return
    error_page.show(context, found, sample_id)


@click.command()
@click.argument("error_id", type=int)
@by_option
@as_json
@pass_context_to_change
def resolve(context: Context, error_id: int, by: str, as_json: bool) -> None:
    """Mark an error resolved by hand; its open tickets close."""
    closed = context.source.resolve(error_id, by)
    if as_json:
        say_json(context.source.error(error_id))
        return
    said = context.said("error %(error)s is resolved", error=error_id) + _closed(context, closed)
    say_changed(context, said, error_name(context, error_id))


@click.command()
@click.argument("error_id", type=int)
@click.option("--for", "duration", metavar="DURATION", help="How long, such as 90m or 2d.")
@click.option("--until-rate", "rate", metavar="N/h", help="Until more than N come within an hour.")
@by_option
@as_json
@pass_context_to_change
def mute(
    context: Context, error_id: int, duration: str | None, rate: str | None, by: str, as_json: bool
) -> None:
    """Mute an error: it is counted, but nobody is told."""
    if (duration is None) == (rate is None):
        raise click.UsageError(context.said("say how long: --for 2d, or --until-rate 10/h"))
    try:
        seconds = None if duration is None else Duration.parse(duration)
        limit = None if rate is None else parse_rate(rate)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    context.source.mute(error_id, by, seconds=seconds, rate=limit)
    if as_json:
        say_json(context.source.error(error_id))
        return
    said = (
        context.said("error %(error)s is muted for %(duration)s", error=error_id, duration=duration)
        if duration
        else context.said("error %(error)s is muted until it exceeds %(rate)s", error=error_id, rate=rate)
    )
    say_changed(context, said, error_name(context, error_id))


@click.command()
@click.argument("error_id", type=int)
@by_option
@pass_context_to_change
def unmute(context: Context, error_id: int, by: str) -> None:
    """End a mute."""
    context.source.unmute(error_id, by)
    say_changed(
        context, context.said("error %(error)s is heard again", error=error_id), error_name(context, error_id)
    )


@click.command()
@click.argument("error_id", type=int)
@click.argument("into_id", type=int)
@by_option
@pass_context_to_change
def merge(context: Context, error_id: int, into_id: int, by: str) -> None:
    """Make an error part of another: counts, samples, tickets and corrections move."""
    closed = merging.merge(context.store, context.config, error_id, into_id, by, clock.now())
    said = context.said("error %(error)s is part of error %(into)s", error=error_id, into=into_id)
    said += _closed(context, closed)
    say_changed(context, said, error_name(context, error_id), error_name(context, into_id))


@click.command()
@click.argument("error_id", type=int)
@click.option("--by", "what", metavar="WHAT", required=True, help="client, route or text:REGEX.")
@pass_context_to_change
def split(context: Context, error_id: int, what: str) -> None:
    """Tell an error's events apart from now on; `merge` undoes it."""
    splitting.split(context.store, error_id, what, user_name(), clock.now())
    say(
        context.said(
            "from now on the events of error %(error)s are told apart by %(what)s", error=error_id, what=what
        )
    )


@click.command()
@click.argument("error_id", type=int)
@click.argument("text")
@by_option
@pass_context_to_change
def describe(context: Context, error_id: int, text: str, by: str) -> None:
    """Say in TEXT what clients read of an error in its title's place; '' takes it away."""
    Manual(context.store, context.config).describe(error_id, text, by, clock.now())
    said = (
        context.said("clients read: %(text)s", text=text)
        if text.strip()
        else context.said("clients read no text of its own")
    )
    say_changed(context, said, error_name(context, error_id))


def _closed(context: Context, tickets: list[int]) -> str:
    """What the answer adds when tickets closed."""
    numbers = ", ".join(map(str, tickets))
    return context.said("; closed: ticket %(tickets)s", tickets=numbers) if tickets else ""
