"""Kinds of processes: who has to be seen alive before an error's silence counts. Pure.

Processes of one program and role are of one kind. A live web server says nothing about a dead worker of the same
service.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from tocsin.daemon.store.intervals import Interval, clipped, length

LOGGED_WITHIN = 30 * 86400.0
"""Seconds since a kind of process last logged an error after which it need not be seen any more."""
MASKED = 100
"""Characters of the arguments that tell one batch run from another."""
_FORKED = "forked"
_VARYING = re.compile(
    r"\d{4}-?\d\d-?\d\d(?:[T_ ]?\d\d:?\d\d(?::?\d\d)?(?:\.\d+)?Z?)?"  # a date, a moment
    r"|[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"  # a UUID
    r"|\d{9,}"  # a moment in seconds, a serial number
)


class Kind(NamedTuple):
    """A kind of process."""

    program: str
    """"" for one whose handler does not say: any process may be it."""
    role: str = ""

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.program} ({self.role})" if self.role else self.program


class KindFacts(NamedTuple):
    """What is known of a service's processes of one kind."""

    kind: Kind
    first_heard: float
    last_heard: float
    written_off: bool = False
    """Somebody wrote off all of them that had not ended."""


class Run(NamedTuple):
    """What tells the runs of one batch job from those of another."""

    program: str
    role: str
    arguments: str

    @classmethod
    def of(cls, kind: Kind, arguments: str) -> Run:
        """The run to which a process belongs: a pool's child is part of the program that began the pool."""
        return cls(kind.program, kind.role if kind.role == _FORKED else "", masked(arguments))


def masked(arguments: str) -> str:
    """Arguments without what is another one in each run: dates, serial numbers, UUIDs."""
    return _VARYING.sub("*", arguments)[:MASKED]


def successors(
    facts: KindFacts, known: Sequence[KindFacts], up: Sequence[Interval], unseen_after: float, now: float
) -> list[Kind] | None:
    """Which kinds stand for one that is given up, [] for none; None while it is not given up.

    It is given up when somebody wrote its processes off, or when no daemon heard one for `unseen_after` seconds and a
    kind has appeared since that had not been there before: the program was renamed, the container replaced. A worker
    that died beside a web server that lives on is not given up.
    """
    later = [one.kind for one in known if one.first_heard > facts.last_heard]
    if facts.written_off:
        return later
    unheard = length(clipped(up, facts.last_heard, now)) if facts.last_heard < now else 0.0
    return later if later and unheard >= unseen_after else None
