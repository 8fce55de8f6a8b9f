"""What every command gets: the configuration and the store, opened when first used, and how it answers."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from collections.abc import Callable
from difflib import get_close_matches
from functools import cached_property, wraps
from gettext import NullTranslations
from importlib import import_module
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from tocsin.daemon.cli.commands import CONFIG
from tocsin.daemon.cli.tables import Column, labelled, printable, table
from tocsin.daemon.cli.wording import shell_language, told, words
from tocsin.daemon.config import Config, load_file
from tocsin.daemon.config_file import SYSTEM, ConfigError, FoundFile, find
from tocsin.daemon.failure import Failed, WrongUse
from tocsin.daemon.queries.moment import to_json
from tocsin.daemon.queries.selection import Selection
from tocsin.daemon.reason import failed
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.time_zone import TimeZone
from tocsin.reports.wording import Words

if TYPE_CHECKING:
    from tocsin.daemon.cli.remote import Remote
    from tocsin.daemon.cli.source import Local


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
        if self.remote is not None:
            return found
        if found.source == "none":
            click.echo(
                told("tocsin: no configuration found, so the built-in defaults hold; see --config"), err=True
            )
        if found.others:
            several = ", ".join(str(one or "built-in defaults") for one in (found.path, *found.others))
            if self._changes:
                raise ConfigError(
                    told(
                        "several daemons of yours run: say which one with --config: %(several)s",
                        several=several,
                    )
                )
            click.echo(
                told(
                    "tocsin: several daemons of yours run (%(several)s); this is the first", several=several
                ),
                err=True,
            )
        return found

    @cached_property
    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        return load_file(self.found.path)

    @cached_property
    def store(self) -> Store:
        """The open database, its tables up to date. Raises StoreError, WrongUse."""
        if self.remote is not None:
            raise WrongUse(
                told(
                    "TOCSIN_URL is set, and this command needs the database itself: unset it, or name a"
                    " configuration with --config"
                )
            )
        return open_store(self.config.database.url)

    @cached_property
    def remote(self) -> Remote | None:
        """The console that TOCSIN_URL names, unless a configuration is named. Raises WrongUse."""
        if self.config_file or not os.environ.get("TOCSIN_URL", "").strip():
            return None
        # Loaded where it is used, as commands are.
        made: Remote = import_module("tocsin.daemon.cli.remote").remote(os.environ)
        return made

    @cached_property
    def source(self) -> Local | Remote:
        """Where what is asked and done is: a database of this machine, or a console."""
        if self.remote is not None:
            return self.remote
        local: Local = import_module("tocsin.daemon.cli.source").Local(self.store, self.config)
        return local

    @cached_property
    def language(self) -> str:
        """The language of what this command answers: the shell's, else that of the pages."""
        return shell_language(os.environ) or self.config.report_language

    @property
    def known_language(self) -> str:
        """The same, English while the configuration that would say it cannot be read."""
        try:
            return self.language
        except ConfigError:
            return "en"

    @cached_property
    def words(self) -> NullTranslations:
        """The words of what this command answers."""
        return words(self.language)

    @cached_property
    def zone(self) -> TimeZone:
        """The time zone of the moments that this command tells people."""
        return TimeZone(self.config.organisation.timezone)

    @cached_property
    def page_words(self) -> Words:
        """The words of the pages, for what stands there too: states, actions, durations."""
        return Words(self.language)

    def said(self, text: str, /, **facts: object) -> str:
        """A text of the commands' catalogue, with its facts, in the language of the answers."""
        return self.words.gettext(text) % facts

    def state(self, kind: str, code: str) -> str:
        """A state as the options write it, in French as the pages do; `kind` is its prefix there."""
        return code if self.page_words.language == "en" else self.page_words.word(kind + code)


P = ParamSpec("P")
R = TypeVar("R")


def _passing(changes: bool) -> Callable[[Callable[Concatenate[Context, P], R]], Callable[P, R]]:
    def decorate(command: Callable[Concatenate[Context, P], R]) -> Callable[P, R]:
        @wraps(command)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            context = Context(click.get_current_context().meta.get(CONFIG), changes=changes)
            try:
                return command(context, *args, **kwargs)
            except Failed as error:
                if (code := context.known_language) == "en":
                    raise
                raise Failed(failed(error).said(code)) from error

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
    if context.remote is not None:
        say("  " + context.said("console %(url)s", url=context.remote.url))
        return
    path, source = context.found.path, context.found.source
    if path is not None and path != SYSTEM:
        if source == "daemon":
            say("  " + context.said("configuration %(file)s, of your daemon", file=path))
        else:
            say("  " + context.said("configuration %(file)s", file=path))


def say_table(context: Context, columns: list[Column], rows: list[list[Any]], empty: str) -> None:
    """Prints rows as a table that fits the terminal, or the sentence for none."""
    if not rows:
        say(empty)
        return
    made = table(columns, rows, terminal_width(), context.zone)
    for line in made.head:
        click.secho(line, bold=True)
    for line in made.body:
        click.echo(line)


def say_facts(context: Context, *facts: tuple[str, object]) -> None:
    """Prints lines of `label  value`; those without a value are left out."""
    for line in labelled(facts, terminal_width(), context.zone):
        click.echo(line)


def say_cut(context: Context, shown: int, count: Callable[[], int], selection: Selection) -> None:
    """Says on standard error how many rows `--limit` cut off; standard output is the listing's."""
    if selection.limit is not None and shown == selection.limit and (total := count()) > shown:
        text = context.words.gettext("%(shown)s of %(total)s shown; --limit %(total)s shows all")
        click.echo(f"tocsin: {text % {'shown': shown, 'total': total}}", err=True)


def refuse_unknown(context: Context, selection: Selection) -> None:
    """For a listing that is empty: a service or client that nobody knows is a mistake, and named with its like.

    Raises UsageError.
    """
    for option, value, known in (
        ("service", selection.service, context.source.services),
        ("client", selection.client, context.source.client_ids),
    ):
        if value is not None and value not in (names := known()):
            near = get_close_matches(value, names, 5) or names[:20]
            raise click.UsageError(
                context.said(
                    "--%(option)s %(value)r: there is none; known are %(known)s",
                    option=option, value=value, known=", ".join(near) or "-",
                )
            )  # fmt: skip


def terminal_width() -> int | None:
    """Columns of the terminal; None where the output goes elsewhere, whose lines are not broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
