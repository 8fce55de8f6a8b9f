"""One session's side of the talk with the daemon, without a socket: what it says, and what it makes of answers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header
from tocsin.handler.shipping.delivery import PATIENCE, PATIENCE_MOST, WINDOW, Delivery

HEADER = Header(1, "s1", 0, "shop", None, None, "web1", 7, "3.11", 0.0, 0.0, 10.0, ("ipc://x",))
WALL = 1_700_000_000.0


class RecordsInMemory:
    """A source of records of ten bytes each: record n lies in [10n, 10n + 10)."""

    def __init__(self, records: int = 0) -> None:
        self.session = "s1"
        self.header: Header | None = HEADER
        self.oldest = 0
        self.before: int | None = 3
        self.end = records * 10
        self.released: list[int] = []
        """What `forget` was called with."""
        self.asked: list[tuple[int, int, float, int]] = []
        self.silent: set[int] = set()
        """Ends of batches without a frame."""

    def backlog(self, watermark: int) -> int:
        return self.end - watermark

    def batch(self, start: int, cursor: int, now: float, *, most: int = 1000) -> wire.Batch | None:
        self.asked.append((start, cursor, now, most))
        if cursor >= self.end:
            return None
        end = cursor + 10
        frames = [] if end in self.silent else [(cursor, Raw(b"\x90"))]
        return wire.Batch(self.session, start, end, frames, sent_at=now)

    def forget(self, watermark: int) -> None:
        self.released.append(watermark)


def delivery(records: int = 0, **known: Any) -> tuple[Delivery, RecordsInMemory]:
    source = RecordsInMemory(records)
    return Delivery(source, HEADER, **{"live": True, **known}), source


def welcomed(records: int = 0, watermark: int = 0, **known: Any) -> tuple[Delivery, RecordsInMemory]:
    """A delivery that said hello at 0 and was welcomed at 1."""
    one, source = delivery(records, **known)
    one.next(0.0, WALL)
    one.hear(wire.Welcome("s1", "db", watermark, WALL), 1.0)
    return one, source


def refusal(reason: Any, text: str = "no") -> wire.Refusal:
    return wire.Refusal("s1", reason, text)


def sent(one: Delivery, now: float = 2.0) -> list[wire.FromHandler]:
    """All that is to be said at `now`."""
    said = []
    while message := one.next(now, WALL):
        said.append(message)
    return said


def ends(messages: list[wire.FromHandler]) -> list[int]:
    return [message.end for message in messages if isinstance(message, wire.Batch)]


def test_the_first_word_is_a_hello_with_all_that_is_known() -> None:
    one, source = delivery(4, database="db")
    source.oldest = 20
    assert one.next(5.0, WALL) == wire.Hello(HEADER, 20, 40, WALL, True, "db", 3)


def test_an_adopted_session_says_that_it_is_not_live() -> None:
    hello = delivery(live=False)[0].next(0.0, WALL)
    assert isinstance(hello, wire.Hello)
    assert hello.live is False


def test_nothing_is_said_until_the_hello_is_answered() -> None:
    one, _ = delivery(4)
    assert one.waiting is False
    one.next(0.0, WALL)
    assert one.waiting is True
    assert one.next(100.0, WALL) is None


def test_a_welcome_ends_the_waiting() -> None:
    one, _ = welcomed()
    assert one.waiting is False
    assert one.refused is None


def test_a_batch_says_what_is_behind_it() -> None:
    one, _ = welcomed(2)
    batch = one.next(2.0, WALL)
    assert batch == wire.Batch("s1", 0, 10, [(0, Raw(b"\x90"))], sent_at=WALL, backlog=10)


def test_batches_begin_at_the_watermark_of_the_welcome() -> None:
    one, source = welcomed(4, watermark=20)
    assert source.released == [20]
    assert ends(sent(one)) == [30, 40]
    assert source.asked[0] == (20, 20, WALL, 1000)


def test_each_batch_begins_where_the_one_before_ended() -> None:
    one, _ = welcomed(3)
    batches = [message for message in sent(one) if isinstance(message, wire.Batch)]
    assert [(batch.start, batch.end) for batch in batches] == [(0, 10), (10, 20), (20, 30)]


def test_no_more_than_a_window_of_batches_is_on_its_way() -> None:
    one, _ = welcomed(20)
    assert len(ends(sent(one))) == WINDOW
    assert one.waiting is True
    one.hear(wire.Ack("s1", 10), 3.0)
    assert ends(sent(one)) == [(WINDOW + 1) * 10]


def test_an_acknowledgement_covers_all_batches_below_it() -> None:
    one, _ = welcomed(4)
    sent(one)
    one.hear(wire.Ack("s1", 30), 3.0)
    assert one.waiting is True
    one.hear(wire.Ack("s1", 40), 3.0)
    assert one.waiting is False


def test_a_range_without_records_is_passed_over_and_let_go_of() -> None:
    one, source = welcomed(2)
    source.silent = {10}
    batch = one.next(2.0, WALL)
    assert isinstance(batch, wire.Batch)
    assert (batch.start, batch.end) == (0, 20)
    assert source.released == [0, 10]


def test_a_range_without_records_behind_a_batch_on_its_way_is_kept() -> None:
    one, source = welcomed(2)
    source.silent = {20}
    assert ends(sent(one)) == [10]
    assert source.released == [0]


def test_everything_acknowledged_is_done() -> None:
    one, _ = welcomed(2)
    assert one.done is False
    sent(one)
    assert one.done is False
    one.hear(wire.Ack("s1", 20), 3.0)
    assert one.done is True


def test_what_is_not_read_yet_is_not_done() -> None:
    one, source = welcomed(1)
    sent(one)
    one.hear(wire.Ack("s1", 10), 3.0)
    source.end = 20
    assert one.done is False


def test_a_session_that_was_never_welcomed_is_not_done() -> None:
    assert delivery()[0].done is False


def test_the_backlog_is_what_is_not_acknowledged() -> None:
    one, _ = welcomed(4)
    assert one.backlog == 40
    sent(one)
    assert one.backlog == 40
    one.hear(wire.Ack("s1", 10), 3.0)
    assert one.backlog == 30
    one.hear(wire.Ack("s1", 40), 3.0)
    assert one.backlog == 0


def test_before_the_welcome_all_is_backlog() -> None:
    assert delivery(4)[0].backlog == 40


def test_a_range_without_records_is_no_backlog() -> None:
    one, source = welcomed(1)
    source.silent = {10}
    sent(one)
    assert one.backlog == 0


def test_after_a_restart_the_backlog_is_told_from_the_watermark_on() -> None:
    one, source = welcomed(4)
    sent(one)
    one.hear(wire.Ack("s1", 10), 3.0)
    one.restart()
    hello = one.next(4.0, WALL)
    assert isinstance(hello, wire.Hello)
    assert hello.backlog == source.backlog(10)


def test_what_was_on_its_way_when_the_connection_broke_is_backlog_again() -> None:
    one, _ = welcomed(4)
    sent(one)
    one.hear(wire.Ack("s1", 10), 3.0)
    one.restart()
    assert one.backlog == 30


def test_what_was_read_and_needed_no_batch_stays_read_after_a_restart() -> None:
    one, source = welcomed(1)
    source.silent = {10}
    sent(one)
    one.restart()
    assert one.backlog == 0


def test_a_restart_says_hello_again_and_goes_back_to_the_welcome() -> None:
    one, _ = welcomed(2)
    sent(one)
    one.restart()
    assert one.waiting is False
    assert isinstance(one.next(3.0, WALL), wire.Hello)
    one.hear(wire.Welcome("s1", "db", 10, WALL), 4.0)
    assert ends(sent(one, 4.0)) == [20]


def test_batches_shrink_to_one_record_until_all_on_their_way_are_acknowledged() -> None:
    one, source = welcomed(2)
    one.shrink()
    assert isinstance(one.next(3.0, WALL), wire.Hello)
    one.hear(wire.Welcome("s1", "db", 0, WALL), 4.0)
    sent(one, 4.0)
    assert source.asked[-1][3] == 1
    one.hear(wire.Ack("s1", 10), 5.0)
    sent(one, 5.0)
    assert source.asked[-1][3] == 1
    one.hear(wire.Ack("s1", 20), 5.0)
    sent(one, 5.0)
    assert source.asked[-1][3] == 1000


def test_a_heartbeat_follows_an_interval_of_silence() -> None:
    one, _ = welcomed()
    assert one.next(9.9, WALL) is None
    assert one.next(10.0, WALL) == wire.Heartbeat("s1", 0, WALL)
    assert one.next(19.9, WALL) is None
    assert one.next(20.0, WALL) is not None


def test_a_batch_is_a_sign_of_life_too() -> None:
    one, _ = welcomed(1)
    sent(one, 6.0)
    assert one.next(15.9, WALL) is None
    assert one.next(16.0, WALL) == wire.Heartbeat("s1", 10, WALL)


def test_an_adopted_session_has_no_heart() -> None:
    one, _ = welcomed(live=False)
    assert one.next(1000.0, WALL) is None


def test_a_goodbye_tells_what_stays_in_the_spool() -> None:
    one, _ = welcomed(2)
    assert one.goodbye(WALL) == wire.Goodbye("s1", 20, WALL)


def test_an_acknowledgement_lets_the_source_go_of_what_is_below_it() -> None:
    one, source = welcomed(3)
    sent(one)
    one.hear(wire.Ack("s1", 20), 3.0)
    assert source.released == [0, 20]


def test_with_nothing_on_its_way_the_source_lets_go_of_all_that_was_read() -> None:
    one, source = welcomed(2)
    source.silent = {20}
    sent(one)
    one.hear(wire.Ack("s1", 10), 3.0)
    assert source.released[-1] == 20


def test_nothing_is_let_go_of_before_the_welcome() -> None:
    one, source = delivery(2)
    one.tidy()
    assert source.released == []


def test_an_older_acknowledgement_changes_nothing() -> None:
    one, source = welcomed(3)
    sent(one)
    one.hear(wire.Ack("s1", 20), 3.0)
    one.hear(wire.Ack("s1", 20), 4.0)
    one.hear(wire.Ack("s1", 10), 4.0)
    assert (one.watermark, source.released) == (20, [0, 20])


def test_an_acknowledgement_before_the_welcome_changes_nothing() -> None:
    one, source = delivery(3)
    one.next(0.0, WALL)
    one.hear(wire.Ack("s1", 20), 1.0)
    assert (one.watermark, source.released) == (0, [])


def test_an_answer_is_overdue_after_a_second() -> None:
    one, _ = delivery()
    assert one.overdue(99.0) is False
    one.next(5.0, WALL)
    assert one.overdue(6.0) is False
    assert one.overdue(6.1) is True


def test_the_second_counts_from_the_last_progress() -> None:
    one, _ = welcomed(2)
    sent(one, 10.0)
    assert one.overdue(11.0) is False
    one.hear(wire.Ack("s1", 10), 12.0)
    assert one.overdue(13.0) is False
    assert one.overdue(13.1) is True


def test_a_second_batch_does_not_put_off_what_the_first_is_owed() -> None:
    one, source = welcomed(1)
    sent(one, 10.0)
    source.end = 20
    sent(one, 10.9)
    assert one.overdue(11.1) is True


def test_a_daemon_is_stale_when_it_is_silent_for_longer_than_our_patience() -> None:
    one, _ = delivery()
    assert one.stale(99.0) is False
    one.next(10.0, WALL)
    assert one.stale(10.0 + PATIENCE) is False
    assert one.stale(10.1 + PATIENCE) is True


def test_patience_doubles_up_to_its_most() -> None:
    one, _ = delivery()
    one.next(0.0, WALL)
    grown = []
    for _ in range(4):
        assert one.stale(1000.0)
        grown.append(one.patience)
    assert grown == [2 * PATIENCE, 4 * PATIENCE, PATIENCE_MOST, PATIENCE_MOST]


def test_a_daemon_that_answers_in_time_does_not_grow_our_patience() -> None:
    one, _ = delivery()
    one.next(0.0, WALL)
    one.stale(PATIENCE)
    assert one.patience == PATIENCE


@pytest.mark.parametrize("answer", [wire.Welcome("s1", "db", 0, WALL), wire.Ack("s1", 10)])
def test_an_answer_gives_us_our_first_patience_back(answer: wire.FromDaemon) -> None:
    one, _ = welcomed(2)
    sent(one)
    one.stale(1000.0)
    assert one.patience == 2 * PATIENCE
    one.hear(answer, 1000.0)
    assert one.patience == PATIENCE


@pytest.mark.parametrize("reason", ["gap", "unknown_session"])
def test_who_is_not_known_any_more_says_hello_at_once(reason: str) -> None:
    one, _ = welcomed(2)
    sent(one)
    one.hear(refusal(reason), 3.0)
    assert isinstance(one.next(3.0, WALL), wire.Hello)
    assert one.patience == PATIENCE


def test_a_busy_daemon_is_left_alone_for_half_a_second() -> None:
    one, _ = welcomed(2)
    one.hear(refusal("busy"), 3.0)
    assert one.next(3.4, WALL) is None
    assert isinstance(one.next(3.5, WALL), wire.Hello)
    assert one.patience == PATIENCE


@pytest.mark.parametrize("reason", ["version", "other_database", "not_allowed", "malformed"])
def test_who_is_refused_asks_again_later_and_later(reason: str) -> None:
    one, _ = welcomed(2)
    one.hear(refusal(reason), 3.0)
    assert one.patience == 2 * PATIENCE
    assert one.next(2.9 + PATIENCE, WALL) is None
    assert isinstance(one.next(3.0 + PATIENCE, WALL), wire.Hello)


def test_asking_again_is_never_put_off_for_longer_than_our_most_patience() -> None:
    one, _ = welcomed()
    for _ in range(6):
        one.hear(refusal("malformed"), 3.0)
    assert one.patience == PATIENCE_MOST
    assert isinstance(one.next(3.0 + PATIENCE_MOST, WALL), wire.Hello)


def test_a_refusal_gives_nothing_up() -> None:
    one, source = welcomed(2)
    sent(one)
    one.hear(refusal("malformed"), 3.0)
    assert (source.released, one.backlog) == ([0], 20)
    assert one.waiting is False


@pytest.mark.parametrize("reason", ["gap", "unknown_session", "busy"])
def test_a_refusal_that_passes_is_none_to_speak_of(reason: str) -> None:
    one, _ = welcomed()
    one.hear(refusal(reason), 3.0)
    assert one.refused is None


def test_a_refusal_is_known_until_the_daemon_takes_the_session() -> None:
    one, _ = welcomed()
    one.hear(refusal("not_allowed", "unknown key"), 3.0)
    assert one.refused == refusal("not_allowed", "unknown key")
    one.hear(wire.Welcome("s1", "db", 0, WALL), 4.0)
    assert one.refused is None
    one.restart()
    assert one.refused is None


def test_a_daemon_with_another_database_gets_nothing() -> None:
    one, _ = delivery(2, database="mine")
    one.next(0.0, WALL)
    one.hear(wire.Welcome("s1", "other", 20, WALL), 1.0)
    text = "the daemon has database other, this session belongs to mine"
    assert one.refused == wire.Refusal("s1", "other_database", text)
    assert (one.welcomed, one.watermark, one.database) == (False, 0, "mine")
    assert one.next(0.9 + PATIENCE, WALL) is None
    assert isinstance(one.next(1.0 + PATIENCE, WALL), wire.Hello)


def test_a_session_belongs_to_the_first_database_that_welcomes_it() -> None:
    one, _ = welcomed()
    assert one.database == "db"
    one.restart()
    hello = one.next(2.0, WALL)
    assert isinstance(hello, wire.Hello)
    assert hello.database == "db"


def test_its_own_database_welcomes_a_session_again() -> None:
    one, _ = delivery(database="db")
    one.next(0.0, WALL)
    one.hear(wire.Welcome("s1", "db", 0, WALL), 1.0)
    assert one.welcomed is True


def test_a_hello_says_how_long_the_process_has_lived() -> None:
    one, _ = delivery(began=2.0)
    hello = one.next(5.0, WALL)
    assert isinstance(hello, wire.Hello)
    assert hello.age == 3.0
