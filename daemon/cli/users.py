"""`tocsin users list`, `add`, `link`, `disable`, `enable`."""

from __future__ import annotations

import click

from tocsin.daemon import config_console
from tocsin.daemon.accounts import users as accounts
from tocsin.daemon.accounts.users import UserError
from tocsin.daemon.cli.context import (
    Context,
    as_json,
    pass_context,
    pass_context_to_change,
    say,
    say_changed,
    say_json,
    say_table,
)
from tocsin.daemon.cli.tables import Column
from tocsin.daemon.queries.accounts import users as known
from tocsin.daemon.runtime import clock


@click.group()
def users() -> None:
    """The users of the console: who may sign in, and as what."""


@users.command("list")
@as_json
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the users."""
    found = known(context.store)
    if as_json:
        say_json(found)
        return
    _ = context.words.gettext
    columns = [_("id"), _("email"), _("name"), _("role"), _("client"), _("disabled")]
    rows = [[one.id, one.email, one.name, one.role, one.client_id, one.disabled_at] for one in found]
    say_table(context, [Column(title) for title in columns], rows, _("No users."))


@users.command()
@click.argument("email")
@click.option(
    "--role", type=click.Choice(accounts.ROLES), default=accounts.ADMIN, help="admin sees and does all."
)
@click.option(
    "--client", "client_id", metavar="ID", help="The client that a user of the role client belongs to."
)
@click.option("--name", default="", help="As it is shown.")
@click.option("--language", type=click.Choice(["en", "fr"]), help="Of its pages.")
@click.option("--timezone", help="Of the moments on its pages, such as Europe/Paris.")
@pass_context_to_change
def add(context: Context, /, email: str, **given: str | None) -> None:
    """Add a user; print a link, good once and for a day, by which it sets its password."""
    now = clock.now()
    user_id = accounts.add(context.store, email, now, **given)  # type: ignore[arg-type]
    say_changed(
        context, context.said("user %(user)s is added; it sets a password here, within a day:", user=user_id)
    )
    _say_link(context, user_id, now)


@users.command()
@click.argument("user")
@pass_context_to_change
def link(context: Context, user: str) -> None:
    """Print another link by which USER (id or address) sets a password; the one before ends."""
    _say_link(context, _id(context, user), clock.now())


@users.command()
@click.argument("user")
@pass_context_to_change
def disable(context: Context, user: str) -> None:
    """End all that USER (id or address) can do, at once."""
    accounts.disable(context.store, _id(context, user), clock.now())
    say_changed(context, context.said("user %(user)s is disabled", user=user))


@users.command()
@click.argument("user")
@pass_context_to_change
def enable(context: Context, user: str) -> None:
    """Let a disabled USER (id or address) sign in again."""
    accounts.enable(context.store, _id(context, user))
    say_changed(context, context.said("user %(user)s may sign in again", user=user))


def _say_link(context: Context, user_id: int, now: float) -> None:
    token = accounts.link(context.store, user_id, now)
    say(f"{config_console.address(context.config.console)}/one-time/{token}")


def _id(context: Context, user: str) -> int:
    for one in known(context.store):
        if user.lower() in (str(one.id), one.email):
            return one.id
    raise UserError(f"there is no user {user!r}; `tocsin users list` lists them")
