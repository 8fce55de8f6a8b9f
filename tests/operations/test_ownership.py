"""Commands typed as root, or as another user, beside a daemon that runs as a user of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")

DAEMON, OTHER = 65534, 65533
READS_ALL = "-all,+dac_read_search"
"""Python itself may lie where only root reads; nothing is written with it."""
TOCSIN = (sys.executable, "-m", "tocsin.daemon")


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """Where a daemon of a user of its own keeps its files; nothing is there yet."""
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o055)
    home = tmp_path / "service"
    for directory in (home, home / "state", home / "report"):
        directory.mkdir(mode=0o755)
        os.chown(directory, DAEMON, DAEMON)
    (home / "tocsin.toml").write_text(
        f'[daemon]\nlisten = ["ipc://{home}/t.sock"]\nstate_dir = "{home}/state"\n[report]\ndir = "{home}/report"\n'
        f'[[client]]\nid = "acme"\nemail = "it@acme.example"\n'
    )
    return home


def typed(service: Path, *words: str, uid: int = 0) -> subprocess.CompletedProcess[str]:
    """A command, typed by that user."""
    user = (
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", f"--inh-caps={READS_ALL}",
        f"--ambient-caps={READS_ALL}", f"--bounding-set={READS_ALL}",
    ) if uid else ()  # fmt: skip
    command = [*user, *TOCSIN, "--config", str(service / "tocsin.toml"), *words]
    env = {**os.environ, "HOME": str(service)}
    return subprocess.run(command, env=env, cwd=service, capture_output=True, text=True, timeout=60)


def foreign(directory: Path) -> list[str]:
    """What below the directory is not the daemon's."""
    return [str(path) for path in directory.rglob("*") if path.lstat().st_uid != DAEMON]


def test_what_root_writes_is_the_daemons(service: Path) -> None:
    assert typed(service, "clients", "add", "bolt", "--email", "it@bolt.example").returncode == 0
    assert typed(service, "report").returncode == 0
    assert (service / "report" / "admin" / "index.html").exists()
    assert foreign(service / "state") + foreign(service / "report") == []


def test_a_state_directory_in_the_daemons_own_that_root_makes_is_the_daemons(service: Path) -> None:
    config = service / "tocsin.toml"
    config.write_text(config.read_text().replace("/state", "/state/of/two"))
    assert typed(service, "clients", "add", "bolt", "--email", "it@bolt.example").returncode == 0
    assert (service / "state" / "of" / "two" / "tocsin.db").exists()
    assert foreign(service / "state") == []


def test_the_daemons_user_goes_on_where_root_has_written(service: Path) -> None:
    typed(service, "report")
    typed(service, "clients", "add", "bolt", "--email", "it@bolt.example", uid=DAEMON)
    done = typed(service, "report", uid=DAEMON)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_link_that_lies_in_wait_for_root_is_not_followed(service: Path) -> None:
    (service / "report" / "admin").mkdir()
    victim = service / "victim"
    victim.write_text("mine")
    (service / "report" / "admin" / ".index.html.new").symlink_to(victim)
    typed(service, "report")
    assert (victim.read_text(), victim.stat().st_uid) == ("mine", 0)


@pytest.mark.parametrize("words", [("errors",), ("status",), ("clients", "add", "bolt"), ("report",)])
def test_another_user_reads_as_whom_to_type_the_command(service: Path, words: tuple[str, ...]) -> None:
    typed(service, "clients", "add", "bolt", "--email", "it@bolt.example")
    done = typed(service, *words, uid=OTHER)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "type the command as that user: sudo -u nobody tocsin ..." in line
