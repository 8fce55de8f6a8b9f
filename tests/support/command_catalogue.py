"""Every text of the commands that the reader's language must know: answers, help, and click's own words.

`python tests/support/command_catalogue.py` renews the French catalogue and names what has no French text yet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tocsin.daemon.cli import tocsin, wording
from tocsin.daemon.cli.commands import ENTRIES, GROUPS

COMMANDS = Path(wording.__file__).parent
PO = COMMANDS / "locale" / "fr" / "LC_MESSAGES" / "command.po"


Text = str | tuple[str, ...]
CLICK = ("core", "decorators", "exceptions", "formatting", "parser", "termui", "types")
"""Click's modules whose words a user of ours may see."""
FOR_AUTHORS = {
    "Arguments take exactly one parameter declaration, got {length}: {decls}.",
    "Boolean option {decl!r} cannot use the same flag for true/false.",
    "Choice({choices})",
    "Could not determine name for option with declarations {decls!r}",
    "DeprecationWarning: The command {name!r} is deprecated.{extra_message}",
    "DeprecationWarning: The {param_type} {name!r} is deprecated.{extra_message}",
    "Invalid start character for option ({option})",
    "Name '{name}' defined twice",
    "No options defined but a name was passed ({name}). Did you mean to declare an argument instead? "
    "Did you mean to pass '--{name}'?",
    "Unknown color {colour!r}",
    "Value must be an iterable.",
}


def texts() -> set[Text]:
    """Message ids."""
    keywords = {"_": None, "gettext": None, "said": None, "told": None}
    return {text for _, _, text, _, _ in extract_from_dir(COMMANDS, keywords=keywords)} | helps() | clicks()


def helps() -> set[str]:
    """What `--help` says, of every command and option."""
    return {text for text in _helps(tocsin) if text} | set(GROUPS) | {one.help for one in ENTRIES.values()}


def _helps(command: click.Command) -> Iterator[str | None]:
    yield from (command.help, command.short_help)
    yield from (option.help for option in command.params if isinstance(option, click.Option))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _helps(below)


def clicks() -> set[Text]:
    """Click's own words, but those that only a program's author sees; a pair is one of singular and plural."""
    modules = (Path(click.__file__).with_name(f"{name}.py") for name in CLICK)
    keywords = {"_": None, "ngettext": (1, 2)}
    found = {found[1] for path in modules for found in extract_from_file("python", path, keywords=keywords)}
    return found - FOR_AUTHORS


def catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def untranslated(known: Catalog) -> list[str]:
    return sorted(str(text) for text in texts() if not _has_words(known, text))


def _has_words(known: Catalog, text: Text) -> bool:
    found = known.get(text)
    if found is None:
        return False
    return all(found.string) if isinstance(found.string, tuple | list) else bool(found.string)


def _key(found: str | list[str] | tuple[str, ...]) -> Text:
    return found if isinstance(found, str) else tuple(found)


def renew() -> list[str]:
    """Brings the French catalogue up to date with the texts and compiles it; returns what lacks French."""
    known, wanted = catalogue(), texts()
    for text in [message.id for message in known if message.id and _key(message.id) not in wanted]:
        known.delete(_key(text))
    for text in wanted:
        if known.get(text) is None:
            known.add(text, flags=("python-format",) if "%(" in str(text) else ())
    with PO.open("wb") as file:
        write_po(file, known, width=100, sort_output=True, ignore_obsolete=True)
    with PO.with_suffix(".mo").open("wb") as file:
        write_mo(file, known)
    return untranslated(known)


if __name__ == "__main__":
    sys.exit("\n".join(renew()) or 0)
