"""What the daemon asks of the system about itself: file descriptors and memory. Knows nothing else."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource

DESCRIPTORS = 65536
"""Files and connections the daemon may have open, where the system allows as many."""
_ARENA_MAX = -8
"""M_ARENA_MAX of glibc's malloc.h."""


def prepare() -> None:
    """To be called before any thread is started: room for connections, memory that can be given back."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    # glibc gives up to 64 MB of each further arena never back; other C libraries have no such function.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def give_back() -> None:
    """Returns freed memory to the system."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
