"""The words of the commands, their help and what they refuse, in the reader's language.

The reader's language is the one that its shell asks for; where that names none of ours, answers are in the language
of the pages and help is English. The French words are in `locale/fr/LC_MESSAGES/command.po`, those of click itself
too. `python tests/support/command_catalogue.py` renews and compiles it; a test names what has no French text.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import click

DOMAIN = "command"
LOCALES = Path(__file__).parent / "locale"
LANGUAGES = ("en", "fr")
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""The first that is set says the language, as in every program that uses gettext."""


@cache
def words(code: str) -> gettext.NullTranslations:
    """The words of that language, `en` or `fr`."""
    if code == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, localedir=str(LOCALES), languages=[code])


def shell_language(environ: Mapping[str, str]) -> str | None:
    """The language that a shell asks for: `en`, `fr`, or None where it names neither (`C.UTF-8`)."""
    asked = next((value for name in VARIABLES if (value := environ.get(name))), "")
    codes = (locale.split(".")[0].split("_")[0].lower() for locale in asked.split(":"))
    return next((code for code in codes if code in LANGUAGES), None)


def told(text: str, /, **facts: object) -> str:
    """A text of the catalogue, with its facts, for what is said before any configuration is read."""
    found = words(shell_language(os.environ) or "en").gettext(text)
    return found % facts if facts else found


def let_click_speak() -> None:
    """Click's own words ("Usage:", "Missing argument") come from our catalogue too: it asks gettext's domain."""
    gettext.bindtextdomain(DOMAIN, str(LOCALES))
    gettext.textdomain(DOMAIN)


def translate(command: click.Command) -> click.Command:
    """The command, and those below it, with their help in the shell's language."""
    find = words(shell_language(os.environ) or "en").gettext
    command.help = command.help and find(command.help)
    command.short_help = command.short_help and find(command.short_help)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            parameter.help = find(parameter.help)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            translate(below)
    return command
