"""Sessions of dead processes: taken by one living process, shipped to where they belong, then gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from spools import dead, event

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Header, Lost
from tocsin.handler.session import describe
from tocsin.handler.settings import Settings
from tocsin.handler.shipping import adoption
from tocsin.handler.shipping.adoption import Adopted, Adoptions, Leftovers, claim_session
from tocsin.handler.spool import dropped
from tocsin.handler.spool.claim import Claim
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.guards import guards
from tocsin.handler.spool.segments import segments, sessions

Leave = Callable[..., Spool]


@pytest.fixture
def leave(place: Path) -> Leave:
    """Leaves the spool of an owner that ended in order, with one event in it."""

    def make(database: str | None = None, **changes: object) -> Spool:
        settings = Settings(endpoints=(f"ipc://{place}/s",), service="shop", spool=str(place / "spool"))
        spool = Spool(str(place / "spool"), replace(describe(settings), **changes))
        spool.append(event("left"))
        if database:
            spool.pin(database)
        dead(spool)
        return spool

    return make


def adopted(spool: Spool) -> Adopted:
    found = claim_session(spool.directory, spool.header.session)
    assert isinstance(found, Adopted)
    return found


def adoptions(spool: Spool) -> Adoptions:
    """A living process's, of the same directory and settings."""
    return Adoptions(spool.directory, replace(spool.header, session="0" * 32))


def look(of: Adoptions, header: Header, now: float = 0.0, database: str | None = None) -> list[wire.Goodbye]:
    return list(of.check(now, header.endpoints[0], database))


def acknowledged(one: Adopted) -> None:
    """The daemon has all of it."""
    one.delivery.hear(wire.Welcome(one.session, "a database", one.stream.end, 0.0), 0.0)


def test_a_dead_owners_session_is_taken_by_one_process_only(leave: Leave) -> None:
    spool = leave()
    first = adopted(spool)
    assert claim_session(spool.directory, spool.header.session) is None
    first.give_back()
    adopted(spool).give_back()


def test_a_living_owners_session_is_not_taken_although_its_lock_is_gone(spool: Spool) -> None:
    spool.append(event("alive"))
    spool.detach()
    assert claim_session(spool.directory, spool.header.session) is None
    assert segments(spool.directory, spool.header.session)


def test_a_lock_without_a_segment_is_cleared_away(leave: Leave) -> None:
    spool = leave()
    os.unlink(segments(spool.directory, spool.header.session)[0].path)
    assert claim_session(spool.directory, spool.header.session) is None
    assert sessions(spool.directory) == set()


def test_a_session_that_says_nowhere_whose_it_is_stays(leave: Leave) -> None:
    spool = leave()
    segment = segments(spool.directory, spool.header.session)[0]
    Path(segment.path).write_bytes(b"damaged")
    Path(spool.directory, f"{spool.header.session}.lock").write_bytes(b"damaged")
    assert "whose it is" in str(claim_session(spool.directory, spool.header.session))
    assert Path(segment.path).exists()


def test_the_goodbye_says_when_the_owner_ended(leave: Leave) -> None:
    spool = leave()
    one = adopted(spool)
    assert one.goodbye().ended_at == spool.state.ended_at > 0
    one.give_back()


def test_what_is_acknowledged_says_goodbye_and_its_files_go(leave: Leave) -> None:
    spool = leave()
    of = adoptions(spool)
    assert look(of, spool.header) == []
    acknowledged(of._adopted[0])
    assert [said.session for said in look(of, spool.header)] == [spool.header.session]
    assert (os.listdir(spool.directory), of.deliveries()) == ([], [])


def test_so_many_are_shipped_side_by_side(leave: Leave) -> None:
    for _ in range(adoption.AT_ONCE + 1):
        spool = leave()
    of = adoptions(spool)
    look(of, spool.header)
    assert len(of.deliveries()) == adoption.AT_ONCE
    of.give_back()


def test_one_that_is_refused_is_given_back_and_tried_again_later(leave: Leave) -> None:
    spool = leave()
    of = adoptions(spool)
    look(of, spool.header)
    of.deliveries()[0].hear(wire.Refusal(spool.header.session, "version", "too old"), 0.0)
    look(of, spool.header, now=10.0)
    assert of.deliveries() == []
    look(of, spool.header, now=11.0 + adoption.LATER)
    assert len(of.deliveries()) == 1
    of.give_back()


def test_the_directory_is_looked_at_once_in_a_while(leave: Leave) -> None:
    spool = leave()
    of = adoptions(spool)
    look(of, spool.header, now=0.0)
    leave()
    look(of, spool.header, now=adoption.EVERY / 2)
    assert len(of.deliveries()) == 1
    look(of, spool.header, now=adoption.EVERY)
    assert len(of.deliveries()) == 2
    of.give_back()


def test_one_that_logged_to_another_daemon_is_left_alone(leave: Leave) -> None:
    spool = leave(endpoints=("ipc:///elsewhere",))
    of = adoptions(spool)
    list(of.check(0.0, "ipc:///here", None))
    assert of.deliveries() == []


def test_one_whose_database_answers_at_another_endpoint_is_shipped_there(leave: Leave) -> None:
    spool = leave("its database", endpoints=("ipc:///elsewhere",))
    of = adoptions(spool)
    list(of.check(0.0, "ipc:///here", "its database"))
    assert len(of.deliveries()) == 1
    of.give_back()


def test_one_whose_owner_had_another_key_is_left_alone(leave: Leave) -> None:
    spool = leave(server_key="another")
    of = Adoptions(spool.directory, replace(spool.header, server_key=None))
    look(of, spool.header)
    assert of.deliveries() == []


def test_the_database_that_it_goes_to_is_written_down_for_the_next_one(leave: Leave) -> None:
    spool = leave()
    one = adopted(spool)
    acknowledged(one)
    one.keep()
    one.give_back()
    claim = Claim.acquire(spool.directory, spool.header.session)
    assert claim is not None
    state = claim.read()
    claim.release(remove=False)
    assert state is not None
    assert state.database == "a database"


def test_what_its_owner_only_counted_is_reported_once(leave: Leave) -> None:
    spool = leave()
    Path(dropped.path(spool.directory, spool.header.session)).write_bytes(b"+++")
    for _ in range(2):
        one = adopted(spool)
        batch = one.stream.batch(0, 0, 0.0)
        one.give_back()
        assert batch is not None
        records = [wire.decode_record(payload) for _, payload in batch.frames]
        assert records[1:] == [Lost(dropped.REASON, 3)]


def leftovers(spool: Spool) -> Leftovers:
    found = Leftovers(spool.directory)
    found.look()
    return found


def test_a_session_to_be_left_alone_is_not_looked_at(leave: Leave) -> None:
    spool = leave()
    found = Leftovers(spool.directory)
    found.look([spool.header.session])
    assert not found.sessions


def test_a_session_that_somebody_else_has_shipped_since_is_passed_over(leave: Leave) -> None:
    spool = leave()
    found = leftovers(spool)
    one = adopted(spool)
    one.finish()
    assert found.claim() is None
    assert sessions(spool.directory) == set()


def test_a_file_that_somebody_else_has_shipped_since_is_not_looked_for(leave: Leave) -> None:
    spool = leave(segment=7)
    Path(spool.directory, f"{spool.header.session}.3.1.seg").write_bytes(b"")
    found = leftovers(spool)
    os.unlink(Path(spool.directory, f"{spool.header.session}.3.1.seg"))
    one = found.claim()
    assert isinstance(one, Adopted)
    assert [segment.number for segment in one.stream.files.segments] == [7]
    one.give_back()


def test_what_a_living_owner_begins_after_the_look_is_shipped_when_it_has_died(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = leftovers(spool)
    spool.append(event("first"))
    spool.rotate(1.0)
    dead(spool)
    one = found.claim()
    assert isinstance(one, Adopted)
    assert [segment.number for segment in one.stream.files.segments] == [0, 1]
    one.give_back()


def test_however_many_sessions_there_are_the_directory_is_looked_at_three_times(
    leave: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    scan = os.scandir
    spools = [leave() for _ in range(20)]
    spool = spools[0]
    found = Leftovers(spool.directory)
    guards(spool.directory)
    monkeypatch.setattr(os, "scandir", lambda path: looks.append(path) or scan(path))
    found.look()
    taken = [found.claim() for _ in range(20)]
    assert len(looks) == 3  # Unnamed locks, sessions, their files.
    for one in taken:
        assert isinstance(one, Adopted)
        one.finish()
    assert sessions(spool.directory) == set()


def test_a_forked_child_leaves_the_session_to_its_parent(leave: Leave) -> None:
    spool = leave()
    one = adopted(spool)
    pid = os.fork()
    if pid == 0:
        one.detach()
        os._exit(0)
    os.waitpid(pid, 0)
    assert claim_session(spool.directory, spool.header.session) is None
    assert segments(spool.directory, spool.header.session)
    one.give_back()
