"""`tocsin metrics`: the numbers of the metrics page."""

from __future__ import annotations

import click

from tocsin.daemon.cli.context import Context, as_json, pass_context, say, say_facts, say_json, say_table
from tocsin.daemon.cli.tables import Column


@click.command()
@as_json
@pass_context
def metrics(context: Context, as_json: bool) -> None:
    """Tickets opened and closed automatically, time to resolution, and the honest numbers beside them."""
    found = context.source.metrics()
    if as_json:
        say_json(found)
        return
    _, said = context.words.gettext, context.page_words
    say_facts(
        context,
        (_("automatic tickets"), found.auto_tickets),
        (_("closed automatically"), said.percent(found.auto_closed_percent)),
        (_("mean time to resolution"), said.hours(found.mean_hours_to_resolution)),
        (_("median time to resolution"), said.hours(found.median_hours_to_resolution)),
        (_("closed and came back within 7 days"), said.percent(found.false_closing_percent)),
    )
    say()
    columns = [Column(_("corrections"), number=True), Column(_("file")), Column(_("error"), text=True)]
    rows = [[top.corrections_count, top.source, top.message] for top in found.top_corrected]
    say_table(context, columns, rows, _("No corrections yet."))
