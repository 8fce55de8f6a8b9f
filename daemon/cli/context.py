"""What every command gets: the configuration and the store, opened when first used, and how it answers."""

from __future__ import annotations

import getpass
from functools import cached_property
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tocsin.daemon.config import Config, load
from tocsin.daemon.queries import to_json
from tocsin.daemon.store.database import Store, open_store


class Context:
    """One run of the command."""

    def __init__(self, config_file: str | None) -> None:
        self.config_file = config_file

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        return load(self.config_file)

    @cached_property
    def store(self) -> Store:
        """The open database, its tables up to date. Raises StoreError."""
        return open_store(self.config.database.url)


pass_context = click.make_pass_decorator(Context)
as_json = click.option("--json", "as_json", is_flag=True, help="A stable JSON shape, for scripts.")


by_option = click.option("--by", default=lambda: _user(), help="Who does it, for the history.")


def _user() -> str:
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
