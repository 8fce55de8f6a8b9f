"""Processes that kill themselves at a named point of their work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tocsin.handler import failpoints


class KillAt:
    """The `times`-th passing of a point; a process that is started with `environ` does not outlive it."""

    def __init__(self, point: str, mark: Path, times: int = 1) -> None:
        """`mark`: a file of this process alone, in which it says that it has come there."""
        self.point = point
        self.mark = mark
        mark.unlink(missing_ok=True)
        self.environ = {failpoints.VARIABLE: f"{point}:{times}:{mark}"}

    def check(self, returncode: int | None) -> None:
        """The process has died of it, and of nothing else."""
        assert returncode == -signal.SIGKILL, f"{self.point}: {returncode}"
        assert self.mark.read_text() == self.point


def killed_at(point: str, mark: Path, program: str, *arguments: str, times: int = 1) -> None:
    """The program's text has run with these arguments until SIGKILL at that point."""
    kill = KillAt(point, mark, times)
    command = [sys.executable, "-c", program, *arguments]
    kill.check(
        subprocess.run(command, env={**os.environ, **kill.environ}, timeout=60, check=False).returncode
    )
