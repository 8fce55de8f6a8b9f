"""What a session tells of what the daemon asked it to keep an eye on, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.shipping.observer import Observer

HEADER = Header(1, "s1", 0, "shop", None, None, "web1", 7, "3.11", 0.0, 0.0, 10.0, ("ipc://x",))
WALL = 1_700_000_000.0
WATCHED = wire.Watched((("shop", 40),))


class RecordsInMemory:
    """A source of records of ten bytes each."""

    def __init__(self, records: int) -> None:
        self.session = "s1"
        self.header: Header | None = HEADER
        self.oldest = 0
        self.before: int | None = 0
        self.end = records * 10

    def backlog(self, watermark: int) -> int:
        return self.end - watermark

    def batch(self, start: int, cursor: int, now: float, *, most: int = 1000) -> wire.Batch | None:
        if cursor >= self.end:
            return None
        return wire.Batch(self.session, start, cursor + 10, [(cursor, Raw(b"\x90"))], sent_at=now)

    def forget(self, watermark: int) -> None:
        return


class Looks:
    """Loggers that cannot be heard, and how often somebody looked."""

    def __init__(self, *unheard: str) -> None:
        self.unheard = unheard
        self.asked: list[Sequence[tuple[str, int]]] = []

    def __call__(self, loggers: Sequence[tuple[str, int]]) -> tuple[str, ...]:
        self.asked.append(loggers)
        return self.unheard


def welcomed(looks: Looks, records: int = 0, **known: Any) -> Delivery:
    """A delivery that said hello at 0 and was welcomed at 1."""
    observer = Observer(HEADER.interval)
    observer.unheard = looks
    one = Delivery(RecordsInMemory(records), HEADER, live=True, observer=observer, **known)
    one.next(0.0, WALL)
    one.hear(wire.Welcome("s1", "db", 0, WALL), 1.0)
    return one


def sent(one: Delivery, now: float) -> list[wire.FromHandler]:
    """All that is to be said at `now`, after a look."""
    assert one.observer is not None
    one.observer.check(now)
    said = []
    while message := one.next(now, WALL):
        said.append(message)
    return said


def test_nothing_is_looked_at_before_the_daemon_asks() -> None:
    looks = Looks("shop")
    [beat] = sent(welcomed(looks), 20.0)
    assert isinstance(beat, wire.Heartbeat)
    assert (beat.observed, looks.asked) == (wire.Observed(), [])


def test_what_the_daemon_asks_for_is_answered_at_once_and_with_each_heartbeat() -> None:
    one = welcomed(Looks("shop"))
    one.hear(wire.Ack("s1", 0, WATCHED), 2.0)
    for now in (2.0, 12.0):
        [beat] = sent(one, now)
        assert isinstance(beat, wire.Heartbeat)
        assert beat.observed == wire.Observed(("shop",))


def test_an_answer_without_a_list_changes_nothing_of_what_is_asked() -> None:
    looks = Looks("shop")
    one = welcomed(looks)
    one.hear(wire.Ack("s1", 0, WATCHED), 2.0)
    one.hear(wire.Ack("s1", 0), 3.0)
    sent(one, 20.0)
    assert looks.asked == [WATCHED.loggers]


def test_the_same_list_again_is_answered_when_the_next_heartbeat_is_due() -> None:
    one = welcomed(Looks("shop"))
    for now in (2.0, 3.0):
        one.hear(wire.Ack("s1", 0, WATCHED), now)
        sent(one, now)
    one.hear(wire.Ack("s1", 0, WATCHED), 4.0)
    assert sent(one, 4.0) == []


def test_a_busy_session_tells_it_with_its_batches() -> None:
    one = welcomed(Looks("shop"), 1)
    one.hear(wire.Ack("s1", 0, WATCHED), 2.0)
    [batch] = sent(one, 2.0)
    assert isinstance(batch, wire.Batch)
    assert batch.observed == wire.Observed(("shop",))


def test_the_loggers_are_looked_at_twice_an_interval_however_often_it_speaks() -> None:
    looks = Looks()
    one = welcomed(looks)
    one.hear(wire.Ack("s1", 0, WATCHED), 2.0)
    for tenths in range(20, 120):
        sent(one, tenths / 10)
    assert len(looks.asked) == 2
