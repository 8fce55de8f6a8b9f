"""Sets this process's limits, then becomes the command: `launcher.py MEGABYTES SECONDS NETWORK COMMAND...`.

NETWORK is `open`, or `cut`: where Linux lets this user, the command has a network of its own, with itself alone.

A program of its own, so that nothing has to run between fork and exec. Standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import socket
import struct
import sys

FILE_LIMIT = 256 * 1024 * 1024
"""Bytes of one written file."""

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_FLAGS, _UP = 0x8914, 0x1


def _limit(kind: int, wanted: int) -> None:
    """Lowers a limit; one that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value))


def cut_network() -> bool:
    """Gives this process a network of its own in which only itself can be reached; False where that is not allowed.

    As `unshare --net --map-current-user` does it. Nothing has begun a thread yet.
    """
    user, group = os.getuid(), os.getgid()
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK):
            return False
        for name, text in maps.items():
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            fcntl.ioctl(probe, _SET_FLAGS, struct.pack("16sh22x", b"lo", _UP))
    except (OSError, AttributeError):
        return False
    return True


def main() -> None:
    megabytes, seconds, network, *command = sys.argv[1:]
    if network == "cut":
        cut_network()
    _limit(resource.RLIMIT_AS, int(megabytes) * 1024 * 1024)
    _limit(resource.RLIMIT_CPU, int(seconds))
    _limit(resource.RLIMIT_FSIZE, FILE_LIMIT)
    _limit(resource.RLIMIT_CORE, 0)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
