"""`tocsin clients list`, `add`, `import`."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.daemon import queries
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    say_changed,
    say_cut,
    say_json,
    say_table,
)
from tocsin.daemon.cli.options import narrowing
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.tickets import clients as known


@click.group()
def clients() -> None:
    """The clients: whom errors concern, and where to write to them."""


@clients.command("list")
@narrowing("limit")
@as_json
@pass_context
def list_(context: Context, selection: Selection, as_json: bool) -> None:
    """List the clients."""
    everyone = queries.clients(context.store)
    found = everyone[: selection.limit]
    if as_json:
        say_json(found)
    else:
        _ = context.words.gettext
        columns = [_("id"), _("name"), _("email"), _("language"), _("time zone"), _("report folder")]
        rows = [[one.id, one.name, one.email, one.language, one.timezone, one.folder] for one in found]
        say_table(context, [Column(title) for title in columns], rows, _("No clients."))
    say_cut(context, len(found), lambda: len(everyone), selection)


@clients.command()
@click.argument("client_id")
@click.option("--name", default="", help="As it is addressed.")
@click.option("--email", help="Where its mails go.")
@click.option("--language", type=click.Choice(["en", "fr"]), help="Of its mails and pages.")
@click.option("--timezone", help="Of the moments in its mails, such as Europe/Paris.")
@pass_context_to_change
def add(context: Context, /, client_id: str, **given: str | None) -> None:
    """Add a client, or complete one: what is given replaces what was there."""
    known.add(context.store, [known.client({"id": client_id, **given})])
    say_changed(context, context.said("client %(client)s is known", client=client_id))


@clients.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@pass_context_to_change
def import_(context: Context, file: Path) -> None:
    """Add the clients of a CSV file (id, name, email, language, timezone) or a JSON array, all or none."""
    count = known.add(context.store, known.read(file))
    say_changed(context, context.said("%(count)s clients are known", count=count))
