"""Runs one command and lets nothing of it live on: `keeper.py PARENT BYTES COMMAND...`.

A program of its own between Tocsin and an agent, so that what the agent starts, in whatever session, is this
process's to end: on Linux orphans below it become its children. It ends them when the command ends, when it is told
to (SIGTERM), and when its parent dies, however. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import FrameType

SUBREAPER, PARENT_DEATH_SIGNAL = 36, 1
"""Numbers of Linux's prctl."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NOT_STARTED = 127
"""Exit code where the command cannot be started."""
PROCESSES = 2000
"""Processes and threads of the user besides those that run already, at most; root knows no such limit."""


class Stopped(BaseException):
    """The keeper is to end what it runs."""


def main() -> int:
    parent, size, *command = sys.argv[1:]
    code = NOT_STARTED
    try:
        for number in SIGNALS:
            signal.signal(number, _stop)
        _own_orphans()
        _limit(resource.RLIMIT_FSIZE, int(size))
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NPROC, _tasks() + PROCESSES)
        # A parent that died before the kernel was asked to say so has left us another one.
        if os.getppid() == int(parent):
            code = subprocess.Popen(command, start_new_session=True).wait()  # noqa: S603
    except Stopped:
        pass
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        _end_all()
    return code if code >= 0 else 128 - code


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _own_orphans() -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


def _limit(kind: int, wanted: int) -> None:
    """Lowers a limit; one that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


def _tasks() -> int:
    """Processes and threads of this user."""
    found = 0
    for process in _processes():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{process}").st_uid == os.getuid():
                found += len(os.listdir(f"/proc/{process}/task"))
    return found


def _end_all() -> None:
    """Kills children until there are none: each one's own children become ours as it dies."""
    while True:
        for child in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> Iterator[int]:
    own = os.getpid()
    for process in _processes():
        with (
            contextlib.suppress(OSError, ValueError, IndexError),
            open(f"/proc/{process}/stat", "rb") as file,
        ):
            # The name, in parentheses, may hold anything.
            if int(file.read().rpartition(b")")[2].split()[1]) == own:
                yield process


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
