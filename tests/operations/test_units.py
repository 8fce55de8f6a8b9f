"""The systemd units: understood by systemd without a word, and closed as tightly as TCP and mail allow."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here: apt-get install systemd")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed, but for the program, which is not there."""
    for unit in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/tocsin/bin/tocsin", "/bin/true"))
    return tmp_path


def analyze(*arguments: str, units: Path) -> str:
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, *arguments], cwd=units, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@needs_systemd
def test_systemd_understands_every_unit_without_a_word(units: Path) -> None:
    names = [
        "./tocsin.service",
        "./tocsin-console.service",
        "./tocsin-backup.service",
        "./tocsin-backup.timer",
        "./tocsin-failed@x.service",
        "./tocsin-ship@daemon.service",
        "./tocsin-ship-once@daemon.service",
        "./tocsin-ship-once@daemon.timer",
    ]
    assert analyze("verify", "--man=no", *names, units=units) == ""


@needs_systemd
@pytest.mark.parametrize(
    "unit",
    ["tocsin.service", "tocsin-console.service", "tocsin-backup.service", "tocsin-failed@.service"],
)
def test_the_exposure_is_at_most_1_0(units: Path, unit: str) -> None:
    said = analyze("security", "--offline=true", "--no-pager", f"./{unit}", units=units)
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said)
    assert level is not None, said
    assert float(level[1]) <= 1.0


@needs_systemd
@pytest.mark.parametrize(("drop_in", "most"), [("network.conf", 1.1), ("pages.conf", 1.4)])
def test_what_opens_the_daemon_opens_it_little(units: Path, drop_in: str, most: float) -> None:
    both = (units / "tocsin.service").read_text() + (UNITS / drop_in).read_text()
    (units / "tocsin.service").write_text(both)
    assert analyze("verify", "--man=no", "./tocsin.service", units=units) == ""
    said = analyze("security", "--offline=true", "--no-pager", "./tocsin.service", units=units)
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said)
    assert level is not None, said
    assert float(level[1]) <= most


def test_all_units_run_the_same_program_as_the_same_user() -> None:
    texts = [path.read_text() for path in UNITS.glob("*.service")]
    texts = [text for text in texts if "tocsin ship" not in text]
    assert len(texts) == 4
    for text in texts:
        assert "ExecStart=/opt/tocsin/bin/tocsin --config /etc/tocsin/tocsin.toml " in text
        assert "User=tocsin" in text


def test_what_ships_for_a_user_runs_as_that_user() -> None:
    for name, command in (("tocsin-ship@", "ship --watch"), ("tocsin-ship-once@", "ship")):
        text = (UNITS / f"{name}.service").read_text()
        assert f"ExecStart=/opt/tocsin/bin/tocsin {command}\n" in text
        assert "User=%i\n" in text
