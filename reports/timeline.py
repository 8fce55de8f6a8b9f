"""What happened, as people read it: each thing once, whatever rows the history keeps of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from tocsin.daemon.queries.details import Happening
from tocsin.daemon.queries.tickets import HistoryFacts

TOGETHER = 1.0
"""Seconds: rows written so close to each other are of one step."""
CLOSINGS = frozenset(("resolved", "auto_closed"))
STEPS = CLOSINGS | {
    "created",
    "reopened",
    "reappeared",
    "correction_logged",
    "validated",
    "validation_failed",
}
"""Actions that change a ticket's state: the row that says so stands beside them."""


class Line(Struct, frozen=True):
    """One line of a timeline, with the tickets in whose histories it stands."""

    happening: Happening
    ticket_ids: tuple[int, ...] = ()


def of_error(happenings: Sequence[Happening]) -> list[Line]:
    """An error's timeline, oldest first: what several of its tickets record of one step is one line."""
    found: list[Line] = []
    for one in sorted(happenings, key=lambda each: each.at):
        if _says_nothing_new(one, happenings):
            continue
        last = next((line for line in reversed(found) if _same(line.happening, one)), None)
        if last is not None:
            ids = (*last.ticket_ids, *([one.ticket_id] if one.ticket_id else []))
            found[found.index(last)] = structs.replace(last, ticket_ids=tuple(dict.fromkeys(ids)))
        else:
            found.append(Line(one, (one.ticket_id,) if one.ticket_id else ()))
    return found


def of_ticket(history: Sequence[HistoryFacts]) -> list[HistoryFacts]:
    """A ticket's history, oldest first, without the state's change beside the step that made it."""
    return [
        one
        for one in history
        if one.action != "status_changed"
        or not _beside(one.created_at, ((h.created_at, h.action) for h in history))
    ]


def _says_nothing_new(one: Happening, everything: Sequence[Happening]) -> bool:
    """A state's change beside its step, an error's closing beside its tickets', a return as the ticket opens."""
    steps = [(each.at, each.kind) for each in everything if each.ticket_id is not None]
    if one.kind == "status_changed":
        return _beside(one.at, steps)
    if one.kind == "resolved" and one.ticket_id is None:
        return any(kind in CLOSINGS and abs(at - one.at) <= TOGETHER for at, kind in steps)
    if one.kind == "reappeared":
        return any(kind == "created" and abs(at - one.at) <= TOGETHER for at, kind in steps)
    return False


def _beside(at: float, steps: Iterable[tuple[float, str]]) -> bool:
    return any(kind in STEPS and abs(moment - at) <= TOGETHER for moment, kind in steps)


def _same(one: Happening, other: Happening) -> bool:
    """The same step, told by another ticket."""
    return (
        one.kind == other.kind
        and one.by == other.by
        and one.ticket_id is not None
        and other.ticket_id is not None
        and one.kind not in ("note", "created", "message")
        and abs(one.at - other.at) <= TOGETHER
    )
