"""The names of a spool directory: which sessions and segments there are. No file is opened."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.handler.spool.claim import UNNAMED

STALE = 10.0
"""Seconds after which a lock without its name has no owner."""
_SEGMENT = re.compile(r"([0-9a-f]{32})\.(\d{1,9})\.(\d{1,19})\.seg")
_LOCK = re.compile(r"([0-9a-f]{32})\.lock")


class Segment(NamedTuple):
    """One file of a session; sorted by number."""

    number: int
    first: int
    """Counter of its header frame."""
    path: str


def segments(directory: str, session: str) -> list[Segment]:
    """The session's files, oldest first. Raises OSError."""
    return sorted(segment for owner, segment in _listed(directory) if owner == session)


def sessions(directory: str) -> set[str]:
    """Every session that has a file here. Raises OSError."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries]
    matches = (_LOCK.fullmatch(name) or _SEGMENT.fullmatch(name) for name in names)
    return {match[1] for match in matches if match}


def listing(directory: str) -> dict[str, list[Segment]]:
    """The files of every session that has any here, oldest first. Raises OSError."""
    found: dict[str, list[Segment]] = {}
    for owner, segment in _listed(directory):
        found.setdefault(owner, []).append(segment)
    return {owner: sorted(files) for owner, files in found.items()}


def sweep(directory: str) -> None:
    """Removes locks whose owner died before they had their name: nothing belongs to them. Raises OSError."""
    with os.scandir(directory) as entries:
        unnamed = [entry for entry in entries if entry.name.endswith(UNNAMED)]
    for entry in unnamed:
        with contextlib.suppress(OSError):
            # An owner that lives has named its lock long before.
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE:
                os.unlink(entry.path)


def size(directory: str) -> int:
    """Bytes of all segments here, 0 when the directory cannot be read."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".seg"):
                with contextlib.suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _listed(directory: str) -> Iterator[tuple[str, Segment]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if match := _SEGMENT.fullmatch(entry.name):
                yield match[1], Segment(int(match[2]), int(match[3]), entry.path)
