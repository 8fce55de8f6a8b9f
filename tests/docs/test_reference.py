"""What the documentation says of settings, commands and modules is what the code has."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
import tomllib

import click
import msgspec
import pytest
from support.markdown import PAGES, ROOT, phrases

from tocsin.daemon import config, settings
from tocsin.daemon.cli import tocsin
from tocsin.handler import TocsinHandler
from tocsin.handler.settings import Settings

SETTING = re.compile(
    r"(?P<section>daemon|database|tickets|watch|mail|report|retention)\.(?P<rest>[a-z_]+(?: = .+)?)"
)
FILES = ("daemon.key", "daemon.log", "tocsin.key")


def test_what_is_drawn_from_the_code_is_up_to_date() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "reference.py"))["drawn"]()
    old = [str(path.relative_to(ROOT)) for path, text in drawn.items() if path.read_text("utf-8") != text]
    assert not old, "run `make docs`"


def test_the_file_that_init_writes_is_a_configuration_when_every_line_of_it_counts() -> None:
    text = (ROOT / "daemon" / "cli" / "templates" / "init" / "tocsin.toml").read_text("utf-8")
    every_line = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", text)
    found = tomllib.loads(every_line)
    config.parse(found, {})
    assert found.keys() == settings.SECTIONS.keys()


def test_every_option_of_the_handler_is_told_with_its_default() -> None:
    page = (ROOT / "docs" / "handler.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.+?) \|", page, re.MULTILINE))
    assert rows.keys() == inspect.signature(TocsinHandler).parameters.keys()
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    plain = {"spool_limit": "256MB", "level": "ERROR", "uncaught": "False"}
    for name, told in rows.items():
        known = plain.get(name, defaults.get(name, msgspec.NODEFAULT))
        if known in (None, ()):
            assert told == "none"
        elif known is not msgspec.NODEFAULT:
            assert told == f"`{known:g}`" if isinstance(known, float) else f"`{known}`"
    assert defaults["spool_limit"] == 256 * 1024**2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_sentence_names_exists_with_its_options(page) -> None:
    for phrase in phrases(page):
        if re.match(r"tocsin( [a-z]|$)", phrase):
            check(shlex.split(phrase.replace("\\|", "|"))[1:], phrase)


def check(words: list[str], phrase: str) -> None:
    """Follows the words through the commands; what is no command of theirs is an argument of the last."""
    command: click.Command = tocsin
    context = click.Context(command)
    while words and isinstance(command, click.Group) and (below := command.get_command(context, words[0])):
        command = below
        del words[0]
    assert command is not tocsin or not words or words[0].startswith("-"), phrase
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "--config"}
    for word in words:
        option = word.strip("[]").partition("=")[0]
        assert not option.startswith("--") or option in known, f"{phrase}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_a_sentence_names_exists(page) -> None:
    for phrase in phrases(page):
        found = SETTING.fullmatch(phrase)
        if found and phrase not in FILES:
            key = found["rest"].partition(" ")[0]
            assert key in settings.SECTIONS[found["section"]].__struct_fields__, phrase
            if "=" in phrase:
                config.parse(tomllib.loads(f"[{found['section']}]\n{found['rest']}"), {})
