"""What every command gets: the configuration and the store, opened when first used, and how it answers."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.daemon.cli.commands import CONFIG
from tocsin.daemon.config import Config, load_file
from tocsin.daemon.config_file import SYSTEM, ConfigError, FoundFile, find
from tocsin.daemon.queries.moment import to_json
from tocsin.daemon.store.database import Store, open_store


class Context:
    """One run of the command. `changes`: it changes something, so it must not guess which daemon is meant."""

    def __init__(self, config_file: str | None, *, changes: bool = False) -> None:
        self.config_file = config_file
        self._changes = changes

    @cached_property
    def found(self) -> FoundFile:
        """The configuration file that is meant; what is not plain is said on standard error.

        Raises ConfigError when a command that changes something could mean two running daemons.
        """
        found = find(self.config_file, os.environ)
        if found.source == "none":
            click.echo(
                "tocsin: no configuration found, so the built-in defaults hold; see --config", err=True
            )
        if found.others:
            several = ", ".join(str(one or "built-in defaults") for one in (found.path, *found.others))
            if self._changes:
                raise ConfigError(f"several daemons of yours run: say which one with --config: {several}")
            click.echo(f"tocsin: several daemons of yours run ({several}); this is the first", err=True)
        return found

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        return load_file(self.found.path)

    @cached_property
    def store(self) -> Store:
        """The open database, its tables up to date. Raises StoreError."""
        return open_store(self.config.database.url)


P = ParamSpec("P")
R = TypeVar("R")


def _passing(changes: bool) -> Callable[[Callable[Concatenate[Context, P], R]], Callable[P, R]]:
    def decorate(command: Callable[Concatenate[Context, P], R]) -> Callable[P, R]:
        @wraps(command)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            named = click.get_current_context().meta.get(CONFIG)
            return command(Context(named, changes=changes), *args, **kwargs)

        return called

    return decorate


pass_context = _passing(changes=False)
"""For a command that only reads."""
pass_context_to_change = _passing(changes=True)
"""For a command that changes something."""
as_json = click.option("--json", "as_json", is_flag=True, help="A stable JSON shape, for scripts.")


by_option = click.option("--by", default=lambda: user_name(), help="Who does it, for the history.")


def user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "admin"


def say_json(value: Any) -> None:
    """Prints a value as JSON."""
    click.echo(to_json(value, indent=2))


def say(text: str = "") -> None:
    """Prints text; control characters of what was logged do not reach the terminal."""
    click.echo(printable(text))


def say_changed(context: Context, text: str, *named: str) -> None:
    """Says what was changed, of what, and by which configuration where that is not the machine's own."""
    say(text)
    for name in named:
        say(f"  {name}")
    path, source = context.found.path, context.found.source
    if path is not None and path != SYSTEM:
        say(f"  configuration {path}{', of your daemon' if source == 'daemon' else ''}")


def printable(text: str) -> str:
    """The text without control characters other than line breaks and tabs."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say_table(columns: list[str], rows: list[list[Any]], empty: str) -> None:
    """Prints rows as a table, or the sentence for none. Cells are data: no markup in them is obeyed."""
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    console().print(table)


def console() -> Console:
    """The terminal; where there is none, lines are not cut at 80 columns."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=200)
