"""Commands mean the daemon that the user means, from whatever directory they are typed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.daemon_process import TOCSIN
from support.running import Daemon, short_place
from support.world import World

from tocsin.daemon import config_file
from tocsin.daemon.cli import tocsin
from tocsin.daemon.cli.commands import ENTRIES, GROUPS
from tocsin.daemon.config import load
from tocsin.daemon.config_file import ConfigError, find
from tocsin.daemon.store.database import open_store


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own state directory, and another directory to stand in."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in list(os.environ):
        if name.startswith(("TOCSIN_", "SMTP_")):
            monkeypatch.delenv(name)
    return tmp_path / "state"


def configured(directory: Path) -> Path:
    """A configuration with a ticketed error in its database."""
    directory.mkdir()
    file = directory / "tocsin.toml"
    file.write_text('[daemon]\nstate_dir = "state"\n[[client]]\nid = "acme"\nemail = "it@acme.example"\n')
    (directory / "state").mkdir()
    store = open_store(f"sqlite:///{directory}/state/tocsin.db")
    World(store).app().fail(3, client="acme")
    store.close()
    return file


def run(*words: str) -> Result:
    return CliRunner().invoke(tocsin, words)


def note(file: Path) -> int:
    return config_file.note(str(file), str(file.parent))


def test_a_command_from_another_directory_means_the_running_daemon() -> None:
    with short_place() as place, contextlib.closing(Daemon(place)) as daemon:
        environ = {**daemon.environ, "XDG_STATE_HOME": str(place / "home")}
        daemon.config = Path("tocsin.toml")  # Relative to the directory that it is started in.
        process = daemon.up(XDG_STATE_HOME=environ["XDG_STATE_HOME"]).process
        assert process is not None
        asked = [*TOCSIN, "status", "--json"]
        done = subprocess.run(asked, cwd="/", env=environ, capture_output=True, text=True, check=False)
        daemon.kill(signal.SIGTERM)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["daemon"]["pid"] == process.pid
        assert [one.running for one in config_file.noted(environ)] == [False]


def test_the_last_daemon_s_configuration_holds_when_none_runs(state: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        os.close(note(configured(tmp_path / name)))
    assert find(None, os.environ).path == tmp_path / "two" / "tocsin.toml"


def test_a_running_daemon_wins_over_a_later_one_that_ended(state: Path, tmp_path: Path) -> None:
    held = note(configured(tmp_path / "one"))
    os.close(note(configured(tmp_path / "two")))
    assert find(None, os.environ).path == tmp_path / "one" / "tocsin.toml"
    os.close(held)


def test_a_daemon_whose_file_is_gone_is_not_meant(state: Path, tmp_path: Path) -> None:
    file = configured(tmp_path / "one")
    os.close(note(file))
    file.unlink()
    assert find(None, os.environ).source == "none"


def test_without_any_configuration_a_line_says_so_and_no_env_file_is_read(state: Path) -> None:
    Path(".env").write_text("SMTP_HOST=an.application.s.own\nSMTP_FROM=app@example.org\n")
    done = run("errors")
    assert done.stderr.startswith("tocsin: no configuration found")
    assert load(None).smtp is None


def test_a_change_with_two_daemons_running_is_refused_until_one_is_named(state: Path, tmp_path: Path) -> None:
    one, two = configured(tmp_path / "one"), configured(tmp_path / "two")
    held = [note(one), note(two)]
    done = run("resolve", "1")
    assert isinstance(done.exception, ConfigError)
    assert str(one) in str(done.exception)
    assert str(two) in str(done.exception)
    assert "several daemons of yours run" in run("errors").stderr
    assert run("resolve", "1", "--config", str(one)).exit_code == 0
    for descriptor in held:
        os.close(descriptor)


def test_a_change_names_service_error_and_the_configuration_it_used(state: Path, tmp_path: Path) -> None:
    file = configured(tmp_path / "one")
    os.close(note(file))
    done = run("resolve", "1")
    assert "shop: KeyError" in done.stdout
    assert f"configuration {file}, of your daemon" in done.stdout
    assert f"configuration {file}\n" in run("ticket", "reopen", "1", "--config", str(file)).stdout


def test_the_configuration_may_be_named_before_and_after_any_command(state: Path, tmp_path: Path) -> None:
    file = str(configured(tmp_path / "one"))
    before = run("--config", file, "tickets", "--json").stdout
    assert '"client_id": "acme"' in before
    assert run("tickets", "--json", f"--config={file}").stdout == before
    assert '"id": 1' in run("ticket", "1", "--json", "--config", file).stdout
    assert run("mail", "outbox", "list", "--json", "--config", file).exit_code == 0


def test_paths_in_a_configuration_are_relative_to_its_file(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_text(
        '[daemon]\nstate_dir = "s"\nlisten = ["ipc://t.sock"]\n[report]\ndir = "pages"\n'
        '[database]\nurl = "sqlite:///a b.db"\n[mail]\ntemplates = "ours"\n'
    )
    config = load(str(file))
    assert config.state_dir == tmp_path / "s"
    assert config.report_dir == tmp_path / "pages"
    assert config.mail.templates == str(tmp_path / "ours")
    assert config.daemon.listen == [f"ipc://{tmp_path}/t.sock"]
    store = open_store(config.database.url)
    store.close()
    assert (tmp_path / "a b.db").is_file()


def test_what_is_to_be_copied_carries_the_configuration(state: Path, tmp_path: Path) -> None:
    file = configured(tmp_path / "one")
    assert f"tocsin --config {file} correct 1 --file" in run("autofix", "--config", str(file)).stdout
    assert run("report", "--config", str(file)).exit_code == 0
    pages = file.parent / "state" / "report"
    row = (pages / "admin" / "index.html").read_text()
    assert f'data-copy-text="tocsin --config {file} resolve 1"' in row
    of_clients = [page.read_text() for page in (pages / "clients").rglob("*.html")]
    assert of_clients
    assert not [text for text in of_clients if str(file) in text]


def test_the_doctor_shows_the_configuration_of_each_daemon(state: Path, tmp_path: Path) -> None:
    one, two = configured(tmp_path / "one"), configured(tmp_path / "two")
    held = [note(one), note(two)]
    text = run("doctor", "--config", str(one)).stdout
    assert f"pid {os.getpid()} runs on {one}" in text
    assert f"pid {os.getpid()} runs on {two}" in text
    for descriptor in held:
        os.close(descriptor)
    assert f"ran on {two}" in run("doctor", "--config", str(one)).stdout


def test_the_doctor_warns_of_another_configuration_than_the_running_daemon_s(
    state: Path, tmp_path: Path
) -> None:
    one, two = configured(tmp_path / "one"), configured(tmp_path / "two")
    held = note(one)
    assert (
        f"your running daemon has another configuration: {one}" in run("doctor", "--config", str(two)).stdout
    )
    os.close(held)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_help_says_of_a_command_what_it_says_itself(name: str) -> None:
    command = tocsin.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert ENTRIES[name].help in " ".join((command.help or "").split())


def test_help_groups_the_commands_and_loads_none_of_them() -> None:
    code = (
        "import sys; sys.argv = ['tocsin', '--help']\n"
        "from tocsin.daemon.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'peewee', 'structlog', 'rich', 'zmq', 'jinja2'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    for title in GROUPS:
        assert f"\n{title}:\n" in done.stdout
