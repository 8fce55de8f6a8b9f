"""The main job, end to end: the demo itself."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parent.parent
DEMO = [sys.executable, str(ROOT / "examples" / "demo.py"), "--out"]


@pytest.mark.timeout(300)
def test_the_demo_ends_with_every_fact_as_expected(tmp_path: Path) -> None:
    done = subprocess.run([*DEMO, str(tmp_path / "demo")], capture_output=True, text=True, timeout=280)

    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads((tmp_path / "demo" / "result.json").read_text())
    assert [row for row in result["rows"] if not row["agrees"]] == []
    assert (tmp_path / "demo" / "report" / "admin" / "index.html").is_file()
    assert list((tmp_path / "demo" / "mail").glob("*.eml"))


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A demo that was told to end as soon as its daemon was up, and the processes it had started."""
    demo = subprocess.Popen([*DEMO, str(tmp_path / "demo")], stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    line = next(line for line in demo.stdout if "the daemon runs as process" in line)
    started = psutil.Process(demo.pid).children(recursive=True)
    assert any(child.pid == int(line.rsplit(None, 1)[1]) for child in started)
    os.kill(demo.pid, signal.SIGTERM)
    yield demo, started
    demo.kill()
    demo.communicate()


def test_an_interrupted_demo_leaves_no_process_behind(
    interrupted: tuple[subprocess.Popen[str], list[psutil.Process]],
) -> None:
    demo, started = interrupted
    assert demo.wait(timeout=60) == 1
    assert psutil.wait_procs(started, timeout=10)[1] == []


def test_the_demo_does_not_clear_a_directory_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    done = subprocess.run([*DEMO, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, (tmp_path / "precious").read_text()) == (1, "kept")


@pytest.mark.timeout(300)
def test_on_a_terminal_the_console_stays_up_until_a_key_is_pressed(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    demo = subprocess.Popen([*DEMO, str(tmp_path / "demo")], stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = ""
    try:
        while "Press a key" not in shown:
            shown += os.read(controller, 65536).decode(errors="replace")
        started = psutil.Process(demo.pid).children(recursive=True)
        link = re.search(r"sign in\s+(http://127\.0\.0\.1:\d+/one-time/[\w-]+)", shown)
        assert link is not None, shown
        with urllib.request.urlopen(link[1], timeout=30) as answer:
            assert answer.status == 200
        assert demo.poll() is None
        os.write(controller, b"x")
        demo.wait(timeout=60)
    finally:
        demo.kill()
        demo.wait()
        os.close(controller)
    assert psutil.wait_procs(started, timeout=10)[1] == []
