"""Poison: acknowledged, quarantined or stored, counted; what comes behind it is stored within a second."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from support.peer import event, header, peer
from support.running import short_place, until
from support.secured_daemon import SecuredDaemon
from support.world import World

from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.store.models import ErrorLog, Quarantined
from tocsin.handler.protocol import wire
from tocsin.handler.spool.files import Spool

WITHIN = 1.0 if os.environ.get("TOCSIN_SOAK") else 5.0
"""Seconds: the promised one where nothing else runs (`make soak-security`), else a busy machine's."""


def raw(**changed: Any) -> bytes:
    """An event's bytes with fields that no handler of ours would write."""
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(event("poison")))
    names = ["tag", *event("").__struct_fields__]
    for name, value in changed.items():
        fields[names.index(name)] = value
    return msgspec.msgpack.encode(fields)


def surrogate() -> bytes:
    """A lone surrogate in UTF-8, which a strict decoder refuses."""
    return raw(message="<<<").replace(b"<<<", b"\xed\xa0\x80")


POISON = {
    "NUL": raw(message="a\0b", logger="\0", client="\0"),
    "lone surrogate": surrogate(),
    "2**64": raw(line=2**64 - 1, level=2**64 - 1),
    "2**63": raw(line=2**63, key=2**63),
    "negative": raw(line=-(2**63), level=-(2**63)),
    "not a number": raw(occurred_at=float("nan")),
    "infinite": raw(occurred_at=float("inf")),
    "wrong type": raw(message=["no", "text"]),
    "wrong types within": raw(context={"a": 1}),
    "unknown kind": msgspec.msgpack.encode([99, "a", "b"]),
    "no array": msgspec.msgpack.encode({"message": "a"}),
    "bad msgpack": b"\xc1",
    "cut off": raw()[:-3],
    "deep": b"\x91" * 3000 + b"\xc0",
    "a repetition of nothing": msgspec.msgpack.encode([2, 12345, 1.0]),
    "a negative count": msgspec.msgpack.encode([5, 1, -(2**63), 1.0, 1.0]),
    "a count of losses": msgspec.msgpack.encode([4, "spool_full", 2**63]),
    "900 KB field": raw(message="x" * 900_000),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_acknowledged_and_the_record_behind_it_is_stored(running: SecuredDaemon, name: str) -> None:
    text = f"behind {name}"
    with peer(running.ipc) as client:
        client.hello()
        begun = time.monotonic()
        answers = [client.ask(client.batch(POISON[name])), client.ask(client.batch(event(text)))]
        assert answers == [wire.Ack(client.header.session, at) for at in (100, 200)]
        assert time.monotonic() - begun < WITHIN
    assert until(lambda: running.ask(f"SELECT 1 FROM error_logs WHERE message = '{text}'"))


class TestOnPostgres:
    """The same records against the other database, at the digest."""

    database = "postgres"

    def test_poison_is_acknowledged_and_the_record_behind_it_is_stored(self, world: World) -> None:
        session = header()
        world.digest.handle([Received("", wire.Hello(session, 0, 0, world.now, True))], world.now)
        frames = [(100 * at, Raw(payload)) for at, payload in enumerate(POISON.values())]
        end = 100 * len(frames)
        frames.append((end, Raw(wire.encode_record(event("behind them all", occurred_at=world.now)))))
        batch = wire.Batch(session.session, 0, end + 100, frames)
        assert world.digest.handle([Received("", batch)], world.now) == [wire.Ack(session.session, end + 100)]
        with world.store.reading():
            assert ErrorLog.get(ErrorLog.message == "behind them all").occurrences == 1
            assert Quarantined.select().count() >= 8


def test_a_spools_record_that_is_no_msgpack_does_not_hold_back_the_next(house: SecuredDaemon) -> None:
    with short_place() as spool_of:
        spool = Spool(str(spool_of / "spool"), header(endpoints=(house.ipc,)))
        for payload in (POISON["bad msgpack"], POISON["cut off"], wire.encode_record(event("behind them"))):
            spool.append(payload)
        spool.stop()
        spool.detach()
        house.up()
        done = house.tocsin("ship", str(spool_of / "spool"), "--json")
        assert [one["shipped"] for one in json.loads(done.stdout)] == [True], done
    assert house.ask("SELECT message FROM error_logs") == [("behind them",)]
    assert house.ask("SELECT count(*) FROM quarantine") == [(2,)]


def test_a_field_of_two_megabytes_takes_its_own_connection_only(running: SecuredDaemon) -> None:
    with peer(running.ipc) as client:
        client.hello()
        client.socket.send(b"\x01" + client.batch(raw(message="x" * 2_000_000)).frames[0][1])
        with peer(running.ipc) as other:
            assert isinstance(other.hello(), wire.Welcome)
    assert running.process is not None
    assert running.process.poll() is None


def test_what_could_not_be_read_is_counted_and_shown(house: SecuredDaemon) -> None:
    house.up()
    with peer(house.ipc) as client:
        client.hello()
        assert client.ask(client.batch(POISON["wrong type"], POISON["unknown kind"], event("fine")))
    found = house.status()
    assert (found["quarantined"], found["events_counted"]) == (2, 1)
    assert any("could not be read" in problem for problem in found["problems"])
