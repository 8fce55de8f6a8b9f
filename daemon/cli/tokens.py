"""`tocsin tokens list`, `add`, `revoke`."""

from __future__ import annotations

import click

from tocsin.daemon.accounts import tokens as accounts
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    by_option,
    pass_context,
    pass_context_to_change,
    say,
    say_changed,
    say_json,
    say_table,
)
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.queries.tokens import tokens as known
from tocsin.daemon.runtime import clock


@click.group()
def tokens() -> None:
    """The tokens of scripts and agents: what each may do by the API."""


@tokens.command("list")
@as_json
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the tokens, without what they are."""
    found = known(context.store)
    if as_json:
        say_json(found)
        return
    _ = context.words.gettext
    columns = [_("name"), _("scopes"), _("client"), _("made"), _("ends"), _("used"), _("revoked")]
    rows = [
        [
            one.name,
            " ".join(one.scopes),
            one.client_id,
            one.created_at,
            one.ends_at,
            one.used_at,
            one.revoked_at,
        ]
        for one in found
    ]
    say_table(context, [Column(title) for title in columns], rows, _("No tokens."))


@tokens.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(accounts.SCOPES),
    help="What it may do; may be repeated.",
)  # fmt: skip
@click.option("--client", "client_id", metavar="ID", help="It sees this client's tickets alone.")
@click.option("--days", type=click.IntRange(min=1), metavar="N", help="It ends after so many days.")
@by_option
@as_json
@pass_context_to_change
def add(
    context: Context,
    /,
    name: str,
    scopes: tuple[str, ...],
    client_id: str | None,
    days: int | None,
    by: str,
    as_json: bool,
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    now = clock.now()
    made = accounts.add(context.store, name, scopes, by, now, client_id=client_id, days=days)
    if as_json:
        say_json({"token": made})
        return
    say(made)
    text = context.said(
        "token '%(name)s' may %(scopes)s; it is not shown again", name=name, scopes=", ".join(scopes)
    )
    say_changed(context, text)


@tokens.command()
@click.argument("name")
@pass_context_to_change
def revoke(context: Context, name: str) -> None:
    """End a token at once."""
    accounts.revoke(context.store, name, clock.now())
    say_changed(context, context.said("token '%(name)s' is good for nothing any more", name=name))
