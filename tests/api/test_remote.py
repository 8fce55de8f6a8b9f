"""The commands through a console (TOCSIN_URL): what they answer in a database of this machine, word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.daemon import queries
from tocsin.daemon.accounts import tokens
from tocsin.daemon.corrections.recording import NewCorrection, record

CONFIG = """
[daemon]
state_dir = "."
[mail]
admin = ["ops@tocsin.example"]
[organisation]
name = "Atelier"
timezone = "UTC"
"""
Done = subprocess.CompletedProcess[str]


class Machine:
    """A developer's machine: a console elsewhere, and beside it a copy of that one's database."""

    def __init__(self, directory: Path, address: str, token: str) -> None:
        self.directory = directory
        self.address = address
        self.token = token

    def _run(self, *words: str, **more: str) -> Done:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        code = "import sys; sys.argv[0] = 'tocsin'; from tocsin.daemon.__main__ import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *words], cwd=self.directory, env={**environ, **more},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def here(self, *words: str) -> Done:
        return self._run(*words, "--config", str(self.directory / "copy" / "tocsin.toml"))

    def there(self, *words: str, **more: str) -> Done:
        return self._run(*words, **{"TOCSIN_URL": self.address, "TOCSIN_TOKEN": self.token, **more})


@pytest.fixture
def machine(api, address: str, tmp_path: Path) -> Machine:
    directory = tmp_path / "developer"
    (directory / "copy").mkdir(parents=True)
    (directory / "orders.py").write_text("return 2\nreturn 3\n")
    (directory / "copy" / "tocsin.toml").write_text(CONFIG)
    (directory / "tocsin.toml").write_text(CONFIG)
    known = NewCorrection(2, "orders.py", "return 1", "return 3", "why", "ana")
    record(api.world.store, api.world.config, [known], project=None, now=api.world.now)
    token = tokens.add(api.world.store, "copilot", tokens.SCOPES, "ana", api.world.now)
    api.world.store.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "tocsin.db", directory / "copy" / "tocsin.db")
    return Machine(directory, address, token)


def answer(done: Done) -> tuple[int, str]:
    """Exit code and what was printed, without the line that says which configuration or console it was."""
    said = re.sub(r"(?m)^  (configuration|console) .*\n", "", done.stdout)
    return done.returncode, re.sub(r"tocsin --config \S+", "tocsin", said)


READING = ["errors", "errors --json", "errors --open --limit 1 --json", "error 1", "error 1 --json", "tickets",
           "tickets --json --client acme", "ticket 1", "corrections", "corrections 2 --json", "metrics --json",
           "metrics", "autofix", "autofix 1", "error 99", "ticket 99", "tickets --client nobody"]  # fmt: skip
CHANGING = ["resolve 1", "mute 1 --for 2d", "mute 1 --until-rate 10/h", "mute 1 --for soon", "unmute 1",
            "ticket close 1 --note done", "ticket reopen 1", "ticket set 1 --priority low --status in_progress",
            "ticket set 1 --status open", "ticket note 1 hush", "ticket message 1 hello", "ticket assign 1 ana",
            "ticket open wish --client acme", "deployed shop 2.0", "deployed shop 2.0 --json",
            "deployed shop 2.0 --at 2026-01-01T00:00:00Z", "deployed shop 2.0 --at 9999-01-01T00:00:00Z",
            "resolve 99", "withdraw 1", "withdraw 9",
            "correct 1 --file orders.py --old x --new return --by me",
            "correct 2 --file orders.py --old return\\ 1 --new return\\ 3 --by me",
            "correct 1 --file orders.py --old x --new nowhere --by me"]  # fmt: skip


@pytest.mark.parametrize("command", [*READING, *CHANGING])
def test_a_command_answers_through_a_console_as_it_does_here(machine: Machine, command: str) -> None:
    words = [word.replace("\0", " ") for word in command.replace("\\ ", "\0").split()]
    assert answer(machine.there(*words)) == answer(machine.here(*words))


def test_a_correction_is_recorded_and_its_validation_kept_there(machine: Machine, api) -> None:
    (machine.directory / "orders.py").write_text("def price():\n    return 2\n")
    words = ["correct", "1", "--file", "orders.py", "--old", "return 1", "--new", "return 2", "--by", "me"]
    assert machine.there(*words, "--applied-at", "2026-11-18T09:00:00Z").returncode == 0
    machine.there("validate", "1", "--project", ".")
    (made,) = queries.corrections(api.world.store, 1)
    assert (made.applied_by, made.applied_at.iso) == ("me", "2026-11-18T09:00:00Z")
    assert made.test_results["reported_by"] == "copilot"


def test_the_json_of_a_ticket_is_the_same_but_for_the_moment_of_its_watch(machine: Machine) -> None:
    here, there = machine.here("ticket", "1", "--json"), machine.there("ticket", "1", "--json")
    seen = re.compile(r'"(seen_seconds|earliest_close)": .*')
    assert seen.sub("", there.stdout) == seen.sub("", here.stdout) != ""


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        ({"TOCSIN_TOKEN": ""}, 2, "TOCSIN_TOKEN is not"),
        ({"TOCSIN_TOKEN": "tocsin_x"}, 1, "refuses (401): A valid token is needed"),
        ({"TOCSIN_URL": "tocsin.example.org"}, 2, "write the console's address"),
        ({"TOCSIN_URL": "http://127.0.0.1:1"}, 1, "TOCSIN_URL = http://127.0.0.1:1: "),
    ],
)
def test_a_console_that_cannot_be_used_is_said_in_a_line(
    machine: Machine, environ: dict[str, str], code: int, said: str
) -> None:
    done = machine.there("errors", **environ)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_command_that_needs_the_database_does_not_make_one(machine: Machine) -> None:
    done = machine.there("clients", "list")
    assert done.returncode == 2
    assert "needs the database itself" in done.stderr


def test_a_configuration_that_is_named_wins(machine: Machine) -> None:
    assert answer(machine.there("errors", "--config", "copy/tocsin.toml")) == answer(machine.here("errors"))
