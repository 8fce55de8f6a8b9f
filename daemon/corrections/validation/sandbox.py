"""Runs a program with limits of time and memory, and keeps the end of what it says.

A process group of its own is ended with the program. Where Linux lets this user, the network is cut off. Files
outside the copy stay reachable: it is the developer's own code, under the developer's own account.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from tocsin.daemon.corrections.validation.outcome import Run
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.capture.values import clean

TAIL = 4000
"""Characters kept of a program's output."""

_LAUNCHER = Path(__file__).with_name("launcher.py")


class Limits(Struct, frozen=True):
    """Seconds (of the wall clock and of the processor) and megabytes of one program."""

    seconds: float = 120.0
    megabytes: int = 2048


@cache
def can_cut_network() -> bool:
    """Whether a program can be given a network of its own here. Asked once per process."""
    probe = "import launcher, sys; sys.exit(not launcher.cut_network())"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-S", "-c", probe],
        cwd=_LAUNCHER.parent,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0


class Sandbox:
    """`scratch`: a directory for temporary files that the caller removes. `before`: put before each command.

    `environ`: what a program is given; None: ours without mail and Tocsin settings. `cut`: without the network,
    where this system lets us.
    """

    def __init__(
        self,
        scratch: Path,
        limits: Limits,
        python: str,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self._scratch = scratch
        self._limits = limits
        self._python = python
        self._before = before
        self._given = os.environ if environ is None else environ
        self._cut = cut

    def run(
        self, name: str, command: Sequence[str], directory: Path, *, network: bool = False, **variables: str
    ) -> Run:
        """Runs the command in `directory`. Never raises for what the program does. `network`: it is not cut off."""
        limits = [str(self._limits.megabytes), str(math.ceil(self._limits.seconds) + 1)]
        limits.append("cut" if self._cut and not network else "open")
        output = self._scratch / "output"
        begun = time.monotonic()
        with open(output, "wb") as file:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", str(_LAUNCHER), *limits, *self._before, *command],
                cwd=directory,
                env=self._environ(variables),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code: int | None = process.wait(self._limits.seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Run(name, list(command), code, round(time.monotonic() - begun, 3), _tail(output))

    def _environ(self, variables: dict[str, str]) -> dict[str, str]:
        """Ours without mail and Tocsin settings: what the old code logs in a test is no new occurrence."""
        kept = {k: v for k, v in self._given.items() if not k.startswith(("TOCSIN_", "SMTP_", "PYTEST_"))}
        binaries = str(Path(self._python).parent)
        return {
            **kept,
            "PATH": f"{binaries}:{kept.get('PATH', '')}",
            "TMPDIR": str(self._scratch),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "TOCSIN_ENDPOINT": f"ipc://{self._scratch}/nobody",
            "TOCSIN_SPOOL": str(self._scratch / "spool"),
            **variables,
        }


def _tail(path: Path) -> str:
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 4 * TAIL))
        text = file.read().decode("utf-8", "replace")
    return clean(Scrubber().text(text[-TAIL:]))
