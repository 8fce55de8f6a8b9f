"""Draws what the documentation and `tocsin init` say of settings and commands from the code that has them.

`python docs/reference.py` brings the files up to date; a test fails while one of them is not.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import click
import msgspec
from msgspec import Meta

from tocsin.daemon import settings
from tocsin.daemon.cli import tocsin

sys.path.insert(0, str(Path(__file__).parent))
manual = import_module("manual")

ROOT = Path(__file__).parents[1]
PACKAGES = ("handler", "daemon", "reports")
TEMPLATE = ROOT / "daemon" / "cli" / "templates" / "init" / "tocsin.toml"
HEAD = """\
# Tocsin's configuration. Every line is optional: what is commented out shows the default, or an example where
# there is none. Durations are written "90s", "15m", "1h", "24h", "7d". The mail server is set in .env beside
# this file. A running daemon reads it again when it is restarted.
"""
_LISTED = ("client", "service", "channel")
"""Sections that may stand there several times: `[[client]]`."""
_UNITS = ((7 * 86400, 86400, "d"), (3600, 3600, "h"), (60, 60, "m"), (1, 1, "s"))
"""From so many seconds on, a duration is written in units of so many: days from a week on."""
_METAVARS = {"INTEGER": "N", "INTEGER RANGE": "N", "FLOAT": "N", "FLOAT RANGE": "N"}


class Key(NamedTuple):
    """One setting, as people see it; `default` and `example` are written as in TOML, '' for none."""

    name: str
    kind: str
    default: str
    example: str
    meaning: str


def keys(section: Any) -> Iterator[Key]:
    """The settings of a section, in the order of the code."""
    meanings = _meanings(section)
    hints = get_type_hints(section, include_extras=True)
    for field in msgspec.structs.fields(section):
        hint = hints[field.name]
        made = field.default_factory
        value = field.default if made is msgspec.NODEFAULT else made()
        unset = value in (msgspec.NODEFAULT, None, "")
        default = "" if unset else _toml(value)
        if field.required:
            default = "required"
        example = next((_toml(one) for meta in _metas(hint) for one in meta.examples or ()), default)
        yield Key(field.name, _kind(hint), default, example, meanings[field.name])


def configuration() -> str:
    """Every section as a table."""
    parts = []
    for name, section in settings.SECTIONS.items():
        title = f"`[[{name}]]`" if name in _LISTED else f"`[{name}]`"
        rows = [
            f"| `{k.name}` | {k.kind} | {k.default and f'`{k.default}`'} | {k.meaning} |"
            for k in keys(section)
        ]
        head = "| key | type | default | meaning |\n| --- | --- | --- | --- |"
        parts.append("\n".join([f"## {title}", "", section.__doc__ or "", "", head, *rows]))
    return "\n\n".join(parts)


def template() -> str:
    """The file that `tocsin init` writes."""
    lines = [HEAD]
    for name, section in settings.SECTIONS.items():
        title = f"# [[{name}]]" if name in _LISTED else f"[{name}]"
        lines.append(f"# {section.__doc__}\n{title}")
        for key in keys(section):
            choices = f"   # {key.kind}".replace("`", "") if '"' in key.kind else ""
            lines.append(f"# {key.meaning}\n# {key.name} = {key.example}{choices}\n".replace("`", ""))
    return "\n".join(lines).rstrip("\n") + "\n"


def commands() -> str:
    """Every command as a row of a table."""
    rows = [f"| `{usage}` | {help_} |" for usage, help_ in _walk(tocsin, ["tocsin"])]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def modules() -> str:
    """Every module as a row of a table: its name and what its first sentence says."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    rows = []
    for file in files:
        if file.parent.name != "migrations" and file.name != "__init__.py":
            said = " ".join((ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split())
            first = re.split(r"(?<=[a-z`)])\.(?= [A-Z]|$)", said, maxsplit=1)[0].rstrip(".")
            rows.append(f"| `{file.relative_to(ROOT)}` | {first.replace('|', chr(92) + '|')} |")
    return "\n".join(["| module | what lives there |", "| --- | --- |", *rows])


def _walk(command: click.Command, path: list[str]) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=path[-1])
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            assert below is not None
            yield from _walk(below, [*path, name])
        return
    words = [part for one in command.params if isinstance(one, click.Argument)
             for part in one.get_usage_pieces(context)]  # fmt: skip
    options = [_option(one, context) for one in command.params if isinstance(one, click.Option)]
    usage = " ".join([*path, *words, *filter(None, options)])
    yield usage.replace("|", "\\|"), command.get_short_help_str(200)


def _option(option: click.Option, context: click.Context) -> str:
    if option.hidden:
        return ""
    metavar = option.make_metavar(context)
    word = option.opts[0] if option.is_flag else f"{option.opts[0]} {_METAVARS.get(metavar, metavar)}"
    return word if option.required else f"[{word}]"


def _meanings(section: Any) -> dict[str, str]:
    """The text under each attribute; a setting without one is a mistake, so it raises KeyError later."""
    body = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for attribute, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(attribute, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(attribute.target, ast.Name)
            found[attribute.target.id] = inspect.cleandoc(ast.literal_eval(text.value))
    return found


def _metas(hint: Any) -> list[Meta]:
    """What is annotated anywhere within the type."""
    own = list(get_args(hint)[1:]) if get_origin(hint) is Annotated else []
    inner = [] if get_origin(hint) is Literal else [one for one in get_args(hint) if one not in own]
    return own + [meta for one in inner for meta in _metas(one)]


def _kind(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f'`"{one}"`' for one in args)
    if origin is Annotated:
        bounds = args[1]
        limits = [
            f"{word} {value:g}"
            for word, value in (("from", bounds.ge), ("to", bounds.le))
            if value is not None
        ]
        return " ".join([_kind(args[0]), *limits])
    if origin is list:
        return f"list of {_kind(args[0])}s"
    if args:
        return next(_kind(one) for one in args if one is not type(None))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return "table"
    return {
        bool: "`true` or `false`",
        str: "text",
        int: "whole number",
        float: "number",
        settings.Duration: "duration",
    }[hint]


def _toml(value: object) -> str:
    if isinstance(value, settings.Duration):
        size, unit = next((size, unit) for least, size, unit in _UNITS if value >= least and not value % size)
        return f'"{value / size:g}{unit}"'
    return json.dumps(value, ensure_ascii=False)


DRAWN: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "daemon": commands,
    "follow-one-error": modules,
}
BEGIN, END = "<!-- drawn from", "<!-- end -->"


def drawn() -> dict[Path, str]:
    """Each file that this draws, as it should be."""
    pages = {ROOT / "docs" / f"{name}.md": draw() for name, draw in DRAWN.items()}
    return {
        **{page: _replaced(page.read_text("utf-8"), part) for page, part in pages.items()},
        TEMPLATE: template(),
        **manual.drawn(),
    }


def _replaced(text: str, part: str) -> str:
    head, rest = text.split(BEGIN, 1)
    line, _, rest = rest.partition("\n")
    return f"{head}{BEGIN}{line}\n\n{part}\n\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    os.environ["LANGUAGE"] = "en"
    for path, text in drawn().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
