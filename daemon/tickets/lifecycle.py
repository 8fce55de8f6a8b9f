"""The ticket's life as one table: (state, fact) -> (state, actions). Pure: no clock, database or mail.

The states are the tickets' statuses. A fact's kind is the name of its history row. docs/lifecycle.md is drawn
from `TABLE` (see `diagram`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

NEWS_EVERY = 3600.0
"""Seconds between two `reappeared` rows of one ticket, at least."""
RECENT = 200
"""Occurrences an error without a ticket remembers, at least: late ones need those around them."""


class LifecycleError(Exception):
    """A step that the table does not know."""


class State(StrEnum):
    """A ticket's status."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    MONITORING = "monitoring"
    CLOSED = "closed"


class EventType(StrEnum):
    """What became known; the value is the action written to the history."""

    CREATED = "created"
    REAPPEARED = "reappeared"
    OLD_CODE = "old_code_running"
    CORRECTED = "correction_logged"
    WITHDRAWN = "correction_withdrawn"
    VALIDATED = "validated"
    VALIDATION_FAILED = "validation_failed"
    QUIET = "auto_closed"
    UNSEEN = "inconclusive"
    READY = "ready"
    RESOLVED = "resolved"
    MERGED = "merged"
    REOPENED = "reopened"


class Action(StrEnum):
    """What a step asks for, carried out by `tickets` in the same transaction."""

    RECORD = "write the history row"
    WATCH = "restart the watch"
    CLOSE = "close, with a resolution"
    REOPEN = "clear the closing"
    MAIL_CLIENT = "mail the client"
    MAIL_ADMIN = "mail the admins"


class TicketEvent(Struct, frozen=True):
    """Something that became known at `at` (epoch seconds).

    `notified_at`: when the ticket's last `reappeared` row was written, for a reappearance.
    """

    kind: EventType
    at: float
    notified_at: float | None = None


class Step(Struct, frozen=True):
    """Where the ticket goes and what must be done."""

    state: State
    actions: tuple[Action, ...]
    mail: str = ""
    """Name of the mail that MAIL_CLIENT and MAIL_ADMIN send."""


A = Action
_ACTIVE = (State.OPEN, State.IN_PROGRESS, State.MONITORING)
_QUIET_CLOSES = Step(State.CLOSED, (A.RECORD, A.CLOSE, A.MAIL_CLIENT, A.MAIL_ADMIN), "closing")
_CORRECTED = Step(State.IN_PROGRESS, (A.RECORD, A.WATCH))
_UNCORRECTED = Step(State.OPEN, (A.RECORD, A.WATCH))
_PASSED = Step(State.MONITORING, (A.RECORD, A.WATCH, A.MAIL_ADMIN), "validated")
_FAILED = Step(State.IN_PROGRESS, (A.RECORD, A.MAIL_ADMIN), "validation_failed")
_CAME_BACK = Step(State.OPEN, (A.RECORD, A.REOPEN, A.WATCH, A.MAIL_CLIENT, A.MAIL_ADMIN), "reopened")

TABLE: Mapping[tuple[State | None, EventType], Step] = {
    # The watch begins when the ticket opens.
    (None, EventType.CREATED): Step(State.OPEN, (A.RECORD, A.WATCH, A.MAIL_CLIENT, A.MAIL_ADMIN), "detection"),
    # Nobody has claimed a correction yet: an open error that goes on is no news for a mailbox.
    (State.OPEN, EventType.REAPPEARED): Step(State.OPEN, (A.RECORD, A.WATCH)),
    (State.IN_PROGRESS, EventType.REAPPEARED): Step(
        State.IN_PROGRESS, (A.RECORD, A.WATCH, A.MAIL_ADMIN), "reappeared"
    ),
    (State.MONITORING, EventType.REAPPEARED): Step(
        State.MONITORING, (A.RECORD, A.WATCH, A.MAIL_ADMIN), "reappeared"
    ),
    (State.CLOSED, EventType.REAPPEARED): _CAME_BACK,
    (State.CLOSED, EventType.OLD_CODE): Step(State.CLOSED, (A.RECORD, A.MAIL_ADMIN), "old_code"),
    **{(state, EventType.CORRECTED): _CORRECTED for state in _ACTIVE},
    (State.CLOSED, EventType.CORRECTED): Step(State.CLOSED, (A.RECORD,)),
    # Its last correction: nothing of it is corrected any more.
    **{(state, EventType.WITHDRAWN): _UNCORRECTED for state in _ACTIVE},
    (State.CLOSED, EventType.WITHDRAWN): Step(State.CLOSED, (A.RECORD,)),
    **{(state, EventType.VALIDATED): _PASSED for state in _ACTIVE},
    (State.CLOSED, EventType.VALIDATED): Step(State.CLOSED, (A.RECORD,)),
    **{(state, EventType.VALIDATION_FAILED): _FAILED for state in _ACTIVE},
    (State.CLOSED, EventType.VALIDATION_FAILED): Step(
        State.CLOSED, (A.RECORD, A.MAIL_ADMIN), "validation_failed"
    ),
    **{(state, EventType.QUIET): _QUIET_CLOSES for state in _ACTIVE},
    **{
        (state, EventType.UNSEEN): Step(state, (A.RECORD, A.MAIL_ADMIN), "inconclusive")
        for state in _ACTIVE
    },
    **{(state, EventType.READY): Step(state, (A.RECORD, A.MAIL_ADMIN), "ready") for state in _ACTIVE},
    **{(state, EventType.RESOLVED): _QUIET_CLOSES for state in _ACTIVE},
    # The younger of two open tickets of one client for one error, once two errors are found to be one.
    **{(state, EventType.MERGED): Step(State.CLOSED, (A.RECORD, A.CLOSE)) for state in _ACTIVE},
    (State.CLOSED, EventType.REOPENED): _CAME_BACK,
}  # fmt: skip


def step(state: State | None, fact: TicketEvent) -> Step:
    """The step that `fact` makes of a ticket in `state` (None: there is none yet). Raises LifecycleError."""
    try:
        found = TABLE[state, fact.kind]
    except KeyError:
        raise LifecycleError(f"a ticket that is {state or 'not there'} cannot take {fact.kind!r}") from None
    if fact.kind is EventType.REAPPEARED and state is not State.CLOSED and _notified_lately(fact):
        return Step(found.state, (Action.WATCH,))
    return found


def _notified_lately(fact: TicketEvent) -> bool:
    return fact.notified_at is not None and abs(fact.at - fact.notified_at) < NEWS_EVERY


def reached(moments: Sequence[float], count: int, window: float) -> bool:
    """Whether any sliding window of `window` seconds holds `count` of the sorted `moments`."""
    return any(moments[i + count - 1] - moments[i] <= window for i in range(len(moments) - count + 1))


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    for (state, kind), found in TABLE.items():
        lines.append(f"    {state or '[*]'} --> {found.state}: {kind}")
    return "\n".join(lines)


def steps_as_table() -> str:
    """The table as Markdown rows: from, what became known, to, what is done, the mail."""
    lines = ["| from | what became known | to | what is done | mail |", "| --- | --- | --- | --- | --- |"]
    for (state, kind), found in TABLE.items():
        done = "; ".join(action.value for action in found.actions)
        lines.append(f"| {state or '–'} | `{kind}` | {found.state} | {done} | {found.mail or '–'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram(), steps_as_table(), sep="\n\n")
