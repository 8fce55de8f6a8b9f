"""A command starts quickly: it loads what it needs and nothing of the daemon's or the handler's machinery."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.daemon.cli.commands import ENTRIES
from tocsin.daemon.store.database import open_store

HEAVY = {
    "asyncio", "jinja2", "pygments", "pytest", "rich", "structlog", "yagmail", "zmq",
    "tocsin.daemon.grouping.rule2", "tocsin.daemon.outgoing.mail", "tocsin.daemon.run", "tocsin.handler.emit",
    "tocsin.reports.pages",
}  # fmt: skip
READING = ["errors", "error 1", "tickets", "ticket 1", "corrections", "clients list", "status", "metrics"]
SPY = f"""
import sys
from tocsin.daemon.__main__ import main
sys.argv = ["tocsin", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print(sorted({HEAVY!r} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with an empty database."""
    file = tmp_path_factory.mktemp("start") / "tocsin.toml"
    file.write_text('[daemon]\nstate_dir = "."\n')
    open_store(f"sqlite:///{file.parent}/tocsin.db").close()
    return file


def loaded(*words: str) -> str:
    """The heavy modules that a command loads."""
    # psycopg, which Peewee loads where it is installed, has asyncio loaded; SQLite needs neither.
    code = f"import sys; sys.modules['psycopg'] = None\n{SPY}"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_loads_nothing_that_it_does_not_use(config: Path, command: str) -> None:
    assert loaded(*command.split(), "--config", str(config)) == "[]"


def test_the_help_of_all_commands_loads_none_of_them() -> None:
    assert loaded("--help") == "[]"


def test_the_commands_that_read_are_known() -> None:
    assert {command.split()[0] for command in READING} <= ENTRIES.keys()


def test_one_of_the_handler_s_modules_does_not_load_the_handler() -> None:
    code = "import sys, tocsin.handler.paths; print('tocsin.handler.emit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_handler_s_own_names_are_there_when_they_are_asked_for(tmp_path: Path) -> None:
    code = (
        "import logging.config, sys\n"
        "handlers = {'t': {'class': 'tocsin.handler.TocsinHandler', 'service': 'x', 'spool': sys.argv[1]}}\n"
        "logging.config.dictConfig({'version': 1, 'handlers': handlers})\n"
        "from tocsin.handler import *\n"
        "print(TocsinHandler.__name__, bind.__name__, unbind.__name__)\n"
        "print('tocsin.handler.integrations.children' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "TocsinHandler bind unbind\nTrue\n"
