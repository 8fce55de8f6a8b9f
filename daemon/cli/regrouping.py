"""`tocsin regroup`: stored errors under the present rules; what it does is said change by change."""

from __future__ import annotations

import click

from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context_to_change,
    say,
    say_changed,
    say_json,
)
from tocsin.daemon.regrouping import regroup as regrouping
from tocsin.daemon.regrouping.regroup import Change, Regrouped
from tocsin.daemon.runtime import clock


def _(text: str) -> str:
    """Marks a text for the catalogue; it is looked up when said."""
    return text


_SIDE_BY_SIDE = _(
    "error %(error)s is the same as error %(into)s, but both have an open ticket for %(clients)s: they go on "
    "side by side; `tocsin merge %(error)s %(into)s` closes the younger ticket"
)
_DONE = {
    "joined": _("error %(error)s is part of error %(into)s"),
    "known": _("error %(error)s is known by the present rules, too"),
    "told_apart": _("of error %(error)s, %(into)s now, occurrences told apart %(samples)s: %(title)s"),
    "waiting": _SIDE_BY_SIDE,
}
_WOULD = {
    "joined": _("error %(error)s would be part of error %(into)s"),
    "known": _("error %(error)s would be known by the present rules, too"),
    "told_apart": _("of error %(error)s would be %(into)s, occurrences told apart %(samples)s: %(title)s"),
    "waiting": _SIDE_BY_SIDE,
}


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@by_option
@as_json
@pass_context_to_change
def regroup(context: Context, dry_run: bool, by: str, as_json: bool) -> None:
    """Bring what is stored under the present grouping rules, as far as samples tell; `merge` undoes it."""
    found = regrouping.regroup(context.store, context.config, by, clock.now(), dry_run=dry_run)
    if as_json:
        say_json(found)
        return
    for change in found.changes:
        say(_change(context, change, dry_run))
    say_changed(context, _looked_at(context, found, dry_run))


def _change(context: Context, change: Change, dry_run: bool) -> str:
    text = (_WOULD if dry_run else _DONE)[change.kind]
    into: object = change.into
    if change.kind == "told_apart":
        named = change.into is not None
        into = context.said("error %(error)s", error=into) if named else context.said("a new error")
    clients = ", ".join(one or context.said("no client") for one in change.clients)
    facts = {"error": change.error, "into": into, "samples": change.samples, "title": change.title}
    return context.said(text, clients=clients, **facts)


def _looked_at(context: Context, found: Regrouped, dry_run: bool) -> str:
    _ = context.words.gettext
    done = _("nothing to change") if not found.changes else _("nothing was changed") if dry_run else _("done")
    return context.said(
        "stored samples looked at: %(samples)s, of which cannot be read: %(unreadable)s; %(done)s",
        samples=found.samples, unreadable=found.unreadable, done=done,
    )  # fmt: skip
