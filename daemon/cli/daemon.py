"""`tocsin daemon`: the daemon itself, in the foreground, and what it says first."""

from __future__ import annotations

import sys
from functools import partial

import click

from tocsin.daemon import config_console, queries
from tocsin.daemon.cli.console import first_admin_link
from tocsin.daemon.cli.context import Context, pass_context, terminal_width
from tocsin.daemon.cli.tables import labelled, printable
from tocsin.daemon.log import log
from tocsin.daemon.run import run
from tocsin.daemon.runtime.console_process import is_installed
from tocsin.daemon.store.database import Store


@click.command()
@click.option("--no-console", is_flag=True, help="Start no console beside it: another unit does.")
@pass_context
def daemon(context: Context, no_console: bool) -> None:
    """Run the daemon in the foreground."""
    run(context.config, partial(_introduce, context), console=not no_console)


def _introduce(context: Context, store: Store) -> None:
    """Says where the daemon listens and writes, and what is not set up: to people, or as events to a log."""
    config, _ = context.config, context.words.gettext
    pages = str(config.report_dir / "admin" / "index.html")
    missing = not_set_up(context, store)
    if not sys.stderr.isatty():
        log.info("pages", file=pages, url=config.report.url, console=_console(context))
        for name, remedy in missing.items():
            log.info("not_set_up", what=name, remedy=remedy)
        return
    known = [
        (_("listens on"), ", ".join(config.daemon.listen)),
        (_("pages"), pages),
        (_("served at"), config.report.url),
        (_("console"), _console(context)),
        (_("first admin"), first_admin_link(store, config) if _console(context) else None),
        (_("configuration"), config.file or _("built-in defaults")),
    ]
    for line in labelled(known, terminal_width(), context.zone):
        click.echo(line, err=True)
    for remedy in missing.values():
        click.echo(printable(f"! {remedy}"), err=True)


def _console(context: Context) -> str | None:
    """Where the console is, None where there is none."""
    served = context.config.console.listen and is_installed()
    return config_console.address(context.config.console) if served else None


def not_set_up(context: Context, store: Store) -> dict[str, str]:
    """What does not work yet for want of a setting or of an application: its name and what to do."""
    config, _ = context.config, context.words.gettext
    clients = queries.clients(store)
    found = {
        "mail": config.smtp is None
        and _(
            "No mail leaves: set SMTP_HOST and SMTP_FROM in the environment or in .env, "
            "then try tocsin mail test."
        ),
        "admin": not config.mail.admin
        and _('No admin is mailed: name one, [mail] admin = ["you@example.org"] in tocsin.toml.'),
        "client": not clients
        and _("No client is known: add those that shall be told, with [[client]] or tocsin clients add."),
        "organisation": bool(clients)
        and not config.organisation.name
        and _("The clients' mails are not signed: set [organisation] name."),
        "console": bool(config.console.listen and not is_installed())
        and _("There is no console: pip install 'tocsin[console]', or set [console] listen = \"\"."),
        "application": not queries.services(store)
        and _(
            "No application has been heard yet: give one the handler, or try python -m tocsin.handler test."
        ),
    }
    return {name: text for name, text in found.items() if text}
