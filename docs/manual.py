"""The man page and the shells' completion, drawn from the commands; `docs/reference.py` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from tocsin.daemon.cli import tocsin
from tocsin.daemon.cli.commands import GROUPS
from tocsin.daemon.cli.completion import SHELLS, script

SHARE = Path(__file__).parents[1] / "share"
PLACES = {
    "bash": SHARE / "bash-completion" / "completions" / "tocsin",
    "zsh": SHARE / "zsh" / "site-functions" / "_tocsin",
    "fish": SHARE / "fish" / "vendor_completions.d" / "tocsin.fish",
}
"""Where each shell looks for it below a prefix's `share`."""
EXIT = (("0", "Done."), ("1", "What was asked for failed."), ("2", "Wrong usage or configuration."))
ENVIRONMENT = (
    ("TOCSIN_CONFIG", "The configuration file."),
    ("SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASS, SMTP_FROM, SMTP_SECURITY", "The mail server."),
)
FILES = (
    ("./tocsin.toml, /etc/tocsin/tocsin.toml", "The configuration."),
    (
        "~/.local/state/tocsin, /var/lib/tocsin",
        "Database, pages, and the notes by which commands find daemons.",
    ),
)


def drawn() -> dict[Path, str]:
    """Each file, as it should be."""
    pages = {PLACES[shell]: script(shell) for shell in SHELLS}
    return {SHARE / "man" / "man1" / "tocsin.1": man_page(), **pages}


def man_page() -> str:
    """tocsin(1) in man's macros."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.TH TOCSIN 1 "" "Tocsin" "User commands"'
    yield from (".SH NAME", r"tocsin \- automatic error tickets for Python applications")
    yield from (".SH SYNOPSIS", ".B tocsin", r"[\-\-config FILE] COMMAND [ARGUMENTS]")
    yield ".SH DESCRIPTION"
    yield from _paragraphs(tocsin.help or "")
    context = click.Context(tocsin, info_name="tocsin")
    for title, entries in GROUPS.items():
        yield f'.SH "{title.upper()}"'
        for name in entries:
            command = tocsin.get_command(context, name)
            assert command is not None
            yield from _command(command, ["tocsin", name])
    for title, rows in (("EXIT STATUS", EXIT), ("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        yield f'.SH "{title}"'
        for word, meaning in rows:
            yield from (".TP", f".B {_text(word)}", _text(meaning))
    yield from (".SH SEE ALSO", _text("`tocsin COMMAND --help`, and the documentation's page on the daemon."))


def _command(command: click.Command, path: list[str]) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(path))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _command(below, [*path, name])
        return
    words = [part for one in command.params if isinstance(one, click.Argument)
             for part in one.get_usage_pieces(context)]  # fmt: skip
    yield f'.SS "{_text(" ".join([*path, *words]))}"'
    yield from _paragraphs(command.help or "")
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """With what groff would take as a command made plain."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq").replace("`", "")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain
