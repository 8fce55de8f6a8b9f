"""Between socket and digest: bounded, in order, and never waited for by the socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.ingest.digest_thread import DigestThread
from tocsin.daemon.ingest.exchange import (
    BYTES_AT_ONCE,
    BYTES_WAITING,
    MESSAGES_AT_ONCE,
    MESSAGES_WAITING,
    STALLED,
    Asked,
    Exchange,
)
from tocsin.daemon.store.database import StoreError
from tocsin.handler.protocol.wire import Ack, Heartbeat

clock = [0.0]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    clock[0] = 0.0
    made = Exchange(lambda: clock[0])
    yield made
    made.close()


def asked(name: str = "s", size: int = 100) -> Asked:
    return Asked(cast(Any, None), name.encode(), Received("", Heartbeat(name, 0, 0.0)), size)


def test_what_is_put_in_is_taken_in_its_order(exchange: Exchange) -> None:
    for name in "abc":
        assert exchange.put(asked(name))
    assert [one.peer for one in exchange.take(0)] == [b"a", b"b", b"c"]
    assert exchange.take(0) == []


def test_so_many_messages_are_taken_together_at_most(exchange: Exchange) -> None:
    for _ in range(MESSAGES_AT_ONCE + 1):
        exchange.put(asked())
    assert [len(exchange.take(0)), len(exchange.take(0))] == [MESSAGES_AT_ONCE, 1]


def test_so_many_bytes_are_taken_together_but_for_the_last_message(exchange: Exchange) -> None:
    for _ in range(3):
        exchange.put(asked(size=BYTES_AT_ONCE // 2 + 1 if not exchange.full else 1))
    assert len(exchange.take(0)) == 2


@pytest.mark.parametrize("size", [BYTES_WAITING // 10, 1], ids=["bytes", "messages"])
def test_what_exceeds_the_room_is_not_put_in(exchange: Exchange, size: int) -> None:
    put = 0
    while exchange.put(asked(size=size)):
        put += 1
    assert put == min(BYTES_WAITING // size + (BYTES_WAITING % size > 0), MESSAGES_WAITING)
    assert exchange.full
    exchange.take(0)
    assert exchange.put(asked(size=size))


def test_a_transaction_that_takes_longer_than_a_healthy_one_is_a_stall(exchange: Exchange) -> None:
    exchange.put(asked())
    taken = exchange.take(0)
    clock[0] = STALLED
    assert not exchange.stalled
    clock[0] = STALLED + 0.1
    assert exchange.stalled
    exchange.answer(taken, [None])
    assert not exchange.stalled


def test_answers_are_fetched_once_each_with_whom_it_is_for(exchange: Exchange) -> None:
    first, second, third = asked("a"), asked("b"), asked("c")
    exchange.answer([first, second, third], [Ack("a", 1), None, Ack("c", 3)])
    assert exchange.answers() == [(first, Ack("a", 1)), (third, Ack("c", 3))]
    assert exchange.answers() == []


def test_what_could_not_be_digested_is_unanswered_and_no_longer_under_way(exchange: Exchange) -> None:
    def locked(received: object, now: float) -> list[None]:
        raise StoreError("database is locked", permanent=False)

    exchange.put(asked())
    thread = DigestThread(exchange, cast(Any, locked), lambda: 0.0)
    with pytest.raises(StoreError):
        thread.step(0)
    clock[0] = STALLED + 1
    assert exchange.answers() == []
    assert not exchange.stalled
