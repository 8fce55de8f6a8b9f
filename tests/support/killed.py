"""A program that is killed at a named point of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tocsin.handler import failpoints


def killed_at(point: str, mark: Path, program: str, *arguments: str, times: int = 1) -> None:
    """The program's text has run with these arguments until SIGKILL, at the `times`-th passing of that point."""
    environ = {**os.environ, failpoints.VARIABLE: f"{point}:{times}:{mark}"}
    done = subprocess.run([sys.executable, "-c", program, *arguments], env=environ, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert mark.read_text() == point
