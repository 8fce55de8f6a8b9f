"""Runs the agent's program: its time, its output and its files limited, its environment without anything of ours.

What it prints is data: the end of it is kept, without secrets, and read by nobody's program.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tocsin.daemon.agent.keeper import NOT_STARTED
from tocsin.daemon.config_agent import OURS
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.capture.values import clean

TAIL = 8000
"""Characters kept of what it prints."""
TICK = 1.0
"""Seconds between two looks at the clock."""
PATIENCE = 30.0
"""Seconds in which everything it started has ended once it is told to."""
FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of one written file."""
_KEEPER = Path(__file__).with_name("keeper.py")
_PASSED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


class Limits(Struct, frozen=True):
    """Seconds of the wall clock, and bytes of output."""

    seconds: float
    output: int


class Ran(Struct, frozen=True):
    """How it ended: by itself with an exit code, or ended by us for its time or its output."""

    exit_code: int | None
    ended_for: Literal["", "time", "output"]
    seconds: float
    printed: int
    """Bytes."""
    tail: str

    @property
    def not_started(self) -> bool:
        return self.exit_code == NOT_STARTED


def environment(names: Sequence[str], tmp: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the agent's program is given: little of ours, and what `agent.environment` names."""
    wanted = {*_PASSED, *names}
    kept = {
        name: value
        for name, value in environ.items()
        if (name in wanted or name.startswith("LC_")) and not name.upper().startswith(OURS)
    }
    return {**kept, "TMPDIR": str(tmp), "TERM": "dumb", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(
    command: Sequence[str],
    directory: Path,
    environ: Mapping[str, str],
    given: Path,
    limits: Limits,
    tick: Callable[[], None],
) -> Ran:
    """Runs the command with the file `given` on its standard input; `tick` is called about every second.

    However this ends, also by what `tick` raises, nothing that the command started lives on.
    """
    begun = time.monotonic()
    with open(given, "rb") as report:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(_KEEPER), str(os.getpid()), str(FILE_LIMIT), *command],
            cwd=directory,
            env=dict(environ),
            stdin=report,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    tail = bytearray()
    printed, ended_for = 0, ""
    assert process.stdout is not None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(TICK):
                    data = os.read(process.stdout.fileno(), 65536)
                    if not data:  # the keeper has closed it: it is at its end
                        process.wait(PATIENCE)
                        break
                    printed += len(data)
                    tail += data
                    del tail[: -4 * TAIL]
                if printed > limits.output:
                    ended_for = "output"
                    break
                if time.monotonic() - begun > limits.seconds:
                    ended_for = "time"
                    break
                tick()
    finally:
        _end(process)
        process.stdout.close()
    text = tail.decode("utf-8", "replace")
    return Ran(
        exit_code=None if ended_for else process.returncode,
        ended_for=ended_for,  # type: ignore[arg-type]
        seconds=round(time.monotonic() - begun, 3),
        printed=printed,
        tail=clean(Scrubber().text(text[-TAIL:])),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Has the keeper end everything, and waits for it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
