"""`tocsin console`: the console by itself, in the foreground."""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module

import click

from tocsin.daemon import config_console
from tocsin.daemon.accounts import one_time_links, users
from tocsin.daemon.cli.context import Context, pass_context_to_change
from tocsin.daemon.cli.tables import labelled
from tocsin.daemon.cli.wording import told
from tocsin.daemon.config import Config
from tocsin.daemon.failure import WrongUse
from tocsin.daemon.log import log
from tocsin.daemon.runtime import clock
from tocsin.daemon.runtime.console_process import is_installed
from tocsin.daemon.store.database import Store


@click.command()
@click.option("--beside-daemon", is_flag=True, hidden=True)
@pass_context_to_change
def console(context: Context, beside_daemon: bool) -> None:
    """Serve the pages with buttons that act, until it is stopped."""
    if not context.config.console.listen:
        raise WrongUse(told('console.listen is "": say where, such as "127.0.0.1:7580"'))
    if not is_installed():
        raise WrongUse(told("the console needs more: pip install 'tocsin[console]'"))
    if beside_daemon:
        threading.Thread(target=_end_with_daemon, daemon=True).start()
    server = import_module("tocsin.reports.console.server")
    server.serve(context.store, context.config, lambda: _introduce(context, beside_daemon))


def first_admin_link(store: Store, config: Config) -> str | None:
    """The link that makes the first admin, while there is none; it is good for a quarter of an hour."""
    if users.is_admin_there(store):
        return None
    token = one_time_links.make(store, one_time_links.FIRST_ADMIN, clock.now())
    return f"{config_console.address(config.console)}/one-time/{token}"


def _introduce(context: Context, beside_daemon: bool) -> None:
    """Says where it is: to a log, or to a terminal, which alone is told how to make the first admin."""
    address = config_console.address(context.config.console)
    if beside_daemon or not sys.stderr.isatty():
        log.info("console_up", address=address)
        return
    _ = context.words.gettext
    link = first_admin_link(context.store, context.config)
    for line in labelled([(_("console"), address), (_("first admin"), link)], None, context.zone):
        click.echo(line, err=True)


def _end_with_daemon() -> None:
    """The daemon holds the other end of standard input: when it is gone, so is the console."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
