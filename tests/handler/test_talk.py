"""The sessions of a process on its one connection, without a socket."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header
from tocsin.handler.shipping.delivery import Delivery
from tocsin.handler.shipping.talk import Talk
from tocsin.handler.spool.losses import Tally
from tocsin.handler.spool.memory import Memory

HEADER = Header(1, "live", 0, "shop", None, None, "web1", 7, "3.11", 0.0, 0.0, 10.0, ("ipc://x",))
PLACES = CodeLocations(started_at=time.time(), in_app=(), not_in_app=(), sys_path=(), live=False)


class ConnectionDouble:
    """A connection to a daemon that answers every hello, and nothing else."""

    endpoints = ("ipc://x",)
    endpoint = "ipc://x"
    trouble = ""

    def __init__(self) -> None:
        self.connected = True
        self.sent: list[wire.FromHandler] = []
        self._answers: list[wire.FromDaemon] = []

    def open(self) -> bool:
        return True

    def next(self) -> None:
        self.connected = False

    def send(self, message: wire.FromHandler) -> bool:
        self.sent.append(message)
        if isinstance(message, wire.Hello):
            self._answers.append(wire.Welcome(message.header.session, "db", 0, 0.0))
        return True

    def received(self) -> Iterator[wire.FromDaemon]:
        answers, self._answers = self._answers, []
        yield from answers


class NoAdoptions:
    """Nobody left anything behind."""

    def deliveries(self) -> list[Delivery]:
        return []

    def keep(self, delivery: Delivery) -> None:
        """Nothing is remembered."""


def memory(session: str) -> Memory:
    return Memory(replace(HEADER, session=session), PLACES, Tally())


@pytest.fixture
def kept() -> Memory:
    """What was kept in memory while the spool could not be written: one record."""
    found = memory("spare")
    found.lose("overflow", 3)
    return found


@pytest.fixture
def talk(kept: Memory) -> Talk:
    live = Delivery(memory("live"), HEADER, live=True)
    spare = Delivery(kept, replace(HEADER, session="spare"), live=True)
    return Talk(ConnectionDouble(), live, spare, NoAdoptions())  # type: ignore[arg-type]


def turn(talk: Talk, now: float) -> list[wire.FromHandler]:
    """What is said in two turns: a hello is answered between them."""
    talk.connection.sent.clear()  # type: ignore[attr-defined]
    for _ in range(2):
        talk.hear(now)
        talk.say(now)
    return list(talk.connection.sent)  # type: ignore[attr-defined]


def batches_of(said: list[wire.FromHandler], session: str) -> list[wire.Batch]:
    return [one for one in said if isinstance(one, wire.Batch) and one.session == session]


def test_what_memory_holds_is_shipped_beside_the_spool(talk: Talk) -> None:
    assert len(batches_of(turn(talk, 1.0), "spare")) == 1
    assert not talk.done


def test_what_memory_holds_is_shipped_again_when_the_connection_broke_before_its_acknowledgement(
    talk: Talk,
) -> None:
    turn(talk, 1.0)
    talk.connection.connected = False  # type: ignore[misc]
    turn(talk, 2.0)
    talk.connection.connected = True  # type: ignore[misc]
    assert len(batches_of(turn(talk, 3.0), "spare")) == 1
    assert not talk.done


def test_a_session_of_memory_says_goodbye_once_all_of_it_is_acknowledged(talk: Talk) -> None:
    turn(talk, 1.0)
    talk.spare.hear(wire.Ack("spare", 1), 2.0)
    assert [type(one) for one in turn(talk, 2.0) if one.session == "spare"] == [wire.Goodbye]  # type: ignore[union-attr]
    assert talk.done
