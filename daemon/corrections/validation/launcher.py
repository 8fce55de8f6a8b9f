"""Sets this process's limits, then becomes the command: `launcher.py MEGABYTES SECONDS COMMAND...`.

A program of its own, so that nothing has to run between fork and exec. Standard library only.
"""

from __future__ import annotations

import os
import resource
import sys

FILE_LIMIT = 256 * 1024 * 1024
"""Bytes of one written file."""


def _limit(kind: int, wanted: int) -> None:
    """Lowers a limit; one that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def main() -> None:
    megabytes, seconds, *command = sys.argv[1:]
    _limit(resource.RLIMIT_AS, int(megabytes) * 1024 * 1024)
    _limit(resource.RLIMIT_CPU, int(seconds))
    _limit(resource.RLIMIT_FSIZE, FILE_LIMIT)
    _limit(resource.RLIMIT_CORE, 0)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
