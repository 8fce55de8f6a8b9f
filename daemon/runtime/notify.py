"""What systemd is told about this process (sd_notify); without systemd nothing is said. Knows no daemon."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


def notify(*words: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Sends `READY=1`, `WATCHDOG=1`, `STATUS=...` to the socket systemd named; returns whether there is one.

    The protocol is that of sd_notify(3): one datagram of lines. A systemd that does not listen is no error.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.sendto("\n".join(words).encode(), address.replace("@", "\0", 1))
        return True
    return False


def watchdog_interval(pid: int, environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds within which systemd wants to hear `WATCHDOG=1` from this process; None when it does not."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) else None
