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
        say(_change(change, dry_run))
    say_changed(context, _looked_at(found, dry_run))


def _change(change: Change, dry_run: bool) -> str:
    error, into, will = change.error, change.into, "would be" if dry_run else "is"
    if change.kind == "joined":
        return f"error {error} {will} part of error {into}"
    if change.kind == "known":
        return f"error {error} {will} known by the present rules, too"
    if change.kind == "told_apart":
        times = f"{change.samples} occurrence{'s' * (change.samples > 1)} of error {error}"
        are = "would be" if dry_run else "are" if change.samples > 1 else "is"
        return f"{times} {are} {f'error {into}' if into is not None else 'a new error'}: {change.title}"
    clients = ", ".join(f"client {one}" if one else "no client" for one in change.clients)
    return (
        f"error {error} is the same as error {into}, but both have an open ticket for {clients}: they go on "
        f"side by side; `tocsin merge {error} {into}` closes the younger ticket"
    )


def _looked_at(found: Regrouped, dry_run: bool) -> str:
    unread = f", {found.unreadable} cannot be read" if found.unreadable else ""
    done = "nothing to change" if not found.changes else "nothing was changed" if dry_run else "done"
    return f"{found.samples} stored samples looked at{unread}: {done}"
