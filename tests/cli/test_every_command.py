"""Every command that needs nothing is typed by itself: it answers, and never with a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from support.world import World

from tocsin.daemon.cli import tocsin
from tocsin.daemon.failure import Failed, WrongUse
from tocsin.daemon.store.database import open_store

ENDLESS = {"console", "daemon", "mcp"}
"""Run until they are told to stop; other tests start them."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command without a required argument, groups that do something by themselves too."""
    if isinstance(command, click.Group):
        if command.invoke_without_command and path:
            yield path
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from commands(found, (*path, name))
    elif not any(parameter.required for parameter in command.params):
        yield path


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a configuration whose database holds one ticketed error."""
    url = f"sqlite:///{tmp_path / 'tocsin.db'}"
    settings = (
        f'[daemon]\nstate_dir = "{tmp_path}"\nlisten = ["ipc://{tmp_path}/s"]\n[database]\nurl = "{url}"\n'
    )
    (tmp_path / "tocsin.toml").write_text(settings)
    World(open_store(url)).app().fail(3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [one for one in commands(tocsin) if one[0] not in ENDLESS], ids=" ".join)
def test_a_command_typed_by_itself_answers(directory, words):
    done = CliRunner().invoke(
        tocsin, ["--config", str(directory / "tocsin.toml"), *words], catch_exceptions=True
    )
    # A `Failed` is one clear line: the command's edge says it.
    assert done.exception is None or isinstance(done.exception, SystemExit | Failed | WrongUse), done.exc_info
    assert done.output or isinstance(done.exception, Failed | WrongUse)
