"""The spool: what stands in it is shipped once, whatever was done to the files; what is gone is counted."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from support.running import until

from tocsin.handler.destination import Destination
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, DuplicateReference, Event
from tocsin.handler.session import describe
from tocsin.handler.settings import Settings
from tocsin.handler.spool import frames
from tocsin.handler.spool.claim import Claim
from tocsin.handler.spool.files import Spool, Unusable, prepare
from tocsin.handler.spool.segments import segments, sweep
from tocsin.handler.spool.stream import Stream

Make = Callable[..., logging.Logger]


def event(message: str, key: int = 0) -> bytes:
    return wire.encode_record(Event(1.0, 40, "log", message, None, "/a.py", "a", "f", 1, key=key))


@pytest.fixture
def address(place: Path) -> str:
    return f"ipc://{place}/s"


@pytest.fixture
def spool(place: Path) -> Spool:
    settings = Settings(endpoints=(f"ipc://{place}/s",), service="shop", spool=str(place / "spool"))
    return Spool(str(place / "spool"), describe(settings))


def dead(spool: Spool) -> Path:
    """The file of a session whose owner is no more."""
    spool.stop()
    spool.detach()
    return Path(segments(spool.directory, spool.header.session)[0].path)


def messages(stream: Stream) -> tuple[list[str], int]:
    """(texts of events, events reported as lost), read to the end."""
    texts, lost, cursor = [], 0, 0
    while batch := stream.batch(cursor, cursor, 0.0):
        cursor = batch.end
        for _, payload in batch.frames:
            record = wire.decode_record(payload)
            if isinstance(record, Event):
                texts.append(record.message)
            else:
                lost += getattr(record, "count", 0)
    assert stream.backlog(cursor) == 0
    return texts, lost


def offsets(data: bytes) -> list[int]:
    at, out = 0, []
    while found := frames.read(data, at):
        out.append(found.offset)
        at = found.end
    return [*out, len(data)]


def test_cutting_the_last_frame_anywhere_costs_that_event_only_and_says_so(spool: Spool) -> None:
    for number in range(3):
        spool.append(event(f"{number}"))
    path = dead(spool)
    whole = path.read_bytes()
    *_, start, end = offsets(whole)
    for cut in range(start + 1, end):
        path.write_bytes(whole[:cut])
        stream = Stream(spool.directory, spool.header.session)
        assert messages(stream) == (["0", "1"], 1)
        stream.close()


def test_flipping_any_bit_of_a_frame_costs_that_event_only_and_says_so(spool: Spool) -> None:
    for number in range(3):
        spool.append(event(f"{number}"))
    path = dead(spool)
    whole = path.read_bytes()
    _, _, start, end, _ = offsets(whole)
    for bit in range(start * 8, end * 8, 3):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        stream = Stream(spool.directory, spool.header.session)
        assert messages(stream) == (["0", "2"], 1)
        stream.close()


def test_an_emptied_segment_before_others_is_told_as_lost(spool: Spool) -> None:
    spool.append(event("0"))
    spool.append(event("1"))
    spool.rotate(time.time())
    spool.append(event("2"))
    path = dead(spool)
    path.write_bytes(b"")
    assert messages(Stream(spool.directory, spool.header.session)) == (["2"], 2)


def test_garbage_between_frames_costs_nothing(spool: Spool) -> None:
    spool.append(event("0"))
    os.pwrite(spool.fd, b"\xffTgarbage", 0)
    spool.append(event("1"))
    dead(spool)
    assert messages(Stream(spool.directory, spool.header.session)) == (["0", "1"], 0)


def test_the_header_of_a_damaged_file_comes_from_the_lock_file(
    spool: Spool, address: str, logger_to: Make
) -> None:
    spool.append(event("still here"))
    path = dead(spool)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    logger_to()
    with DaemonDouble(address) as daemon:
        assert until(lambda: daemon.memory.messages["still here"] == 1)
        assert daemon.memory.headers[spool.header.session].service == "shop"


def test_a_repeat_after_a_rotation_finds_its_definition_in_the_segment_before(spool: Spool) -> None:
    spool.append(event("told", key=7))
    spool.rotate(time.time())
    spool.append(wire.encode_record(DuplicateReference(7, 2.0)))
    dead(spool)
    stream = Stream(spool.directory, spool.header.session)
    where = next(at for at, _ in stream.batch(0, 0, 0.0, most=1).frames) + 1
    batch = stream.batch(where, 1 << 32, 0.0)
    assert [wire.decode_event(raw).message for raw in batch.definitions] == ["told"]


def test_a_repeat_whose_event_is_gone_is_told_as_lost(spool: Spool) -> None:
    spool.append(wire.encode_record(DuplicateReference(7, 2.0)))
    dead(spool)
    assert messages(Stream(spool.directory, spool.header.session)) == ([], 1)


def test_a_place_that_the_dead_owner_noted_further_on_is_the_one_that_is_shipped(spool: Spool) -> None:
    spool.append(event("0"))
    spool.rotate(time.time())
    spool.append(event("1"))
    spool.note(wire.encode_record(CodeLocation("/a.py", 1, statement="work()")))
    dead(spool)
    batch = Stream(spool.directory, spool.header.session).batch(0, 0, 0.0)
    assert batch is not None
    assert [wire.decode_location(raw).statement for raw in batch.places] == ["work()"]


def test_positions_go_on_over_segments_and_an_acknowledged_segment_is_deleted(spool: Spool) -> None:
    spool.append(event("0"))
    spool.rotate(time.time())
    spool.append(event("1"))
    dead(spool)
    stream = Stream(spool.directory, spool.header.session)
    batch = stream.batch(0, 0, 0.0)
    assert [at >> 32 for at, _ in batch.frames] == [0, 1]
    stream.forget(batch.end)
    assert [one.number for one in segments(spool.directory, spool.header.session)] == [1]


def test_a_segment_is_sealed_only_when_nobody_has_it_open_for_writing(spool: Spool) -> None:
    first = segments(spool.directory, spool.header.session)[0]
    late = os.open(first.path, os.O_WRONLY | os.O_APPEND)
    spool.rotate(time.time())
    try:
        assert not spool.sealed(first)
    finally:
        os.close(late)
    assert spool.sealed(first)


def test_the_lock_of_a_living_owner_is_not_taken(spool: Spool) -> None:
    assert Claim.acquire(spool.directory, spool.header.session) is None
    dead(spool)
    assert Claim.acquire(spool.directory, spool.header.session) is not None


def test_a_forked_child_that_lets_go_does_not_free_its_parents_lock(spool: Spool) -> None:
    pid = os.fork()
    if pid == 0:
        spool.detach()
        os._exit(0)
    os.waitpid(pid, 0)
    assert Claim.acquire(spool.directory, spool.header.session) is None


def test_a_lock_whose_owner_died_before_it_was_named_is_swept_away(spool: Spool) -> None:
    dying, living = (Path(spool.directory, f"{name * 32}.lock.new") for name in "ab")
    for path in (dying, living):
        path.touch()
    os.utime(dying, (1.0, 1.0))
    sweep(spool.directory)
    assert (dying.exists(), living.exists()) == (False, True)


def test_files_are_for_their_owner_only(spool: Spool) -> None:
    modes = [path.stat().st_mode & 0o777 for path in Path(spool.directory).iterdir()]
    assert modes == [0o600, 0o600]
    assert Path(spool.directory).stat().st_mode & 0o777 == 0o700


def test_a_symbolic_link_is_refused_as_spool(place: Path) -> None:
    (place / "real").mkdir()
    (place / "link").symlink_to(place / "real")
    with pytest.raises(Unusable, match="symbolic link"):
        prepare(str(place / "link"))


def test_a_file_in_the_way_is_refused_as_spool(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(Unusable):
        prepare(str(place / "file"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_a_foreign_directory_is_refused_as_spool(place: Path) -> None:
    (place / "foreign").mkdir()
    os.chown(place / "foreign", 12345, -1)
    with pytest.raises(Unusable, match="belongs to user 12345"):
        prepare(str(place / "foreign"))


def test_without_a_usable_spool_events_are_shipped_from_memory(
    place: Path, address: str, logger_to: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "file").touch()
    logger = logger_to(spool=place / "file")
    with DaemonDouble(address) as daemon:
        for number in range(50):
            logger.error(f"{number}")
        assert until(lambda: daemon.memory.counted >= 50)
        assert set(daemon.memory.messages.values()) == {1}
    assert capsys.readouterr().err.count("tocsin:") == 1


def test_what_memory_cannot_hold_is_told_as_lost(place: Path, address: str, logger_to: Make) -> None:
    (place / "file").touch()
    logger = logger_to(spool=place / "file")
    for number in range(1500):
        logger.error(f"{number}")
    with DaemonDouble(address) as daemon:
        assert until(lambda: daemon.memory.counted + daemon.memory.reported >= 1500)
        assert (daemon.memory.counted, daemon.memory.lost) == (1000, {"unwritable": 500})


FULL_DISK = """
import logging, resource, signal, sys
from tocsin.handler import TocsinHandler
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
handler = TocsinHandler(sys.argv[1], 'shop', spool=sys.argv[2])
log = logging.Logger('full')
log.addHandler(handler)
for number in range(400):
    log.error(f'number {number}')
sys.stdout.write(str(handler.destination.await_delivery(20)))
"""


def test_on_a_full_disk_counted_and_told_as_lost_make_what_was_logged(place: Path, address: str) -> None:
    with DaemonDouble(address) as daemon:
        ended = subprocess.run(
            [sys.executable, "-c", FULL_DISK, address, str(place / "spool")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (0, "True")
        assert ended.stderr.count("\n") == 1
        assert until(lambda: daemon.memory.counted + daemon.memory.reported >= 400)
        assert daemon.memory.counted + daemon.memory.reported == 400
        assert set(daemon.memory.messages.values()) == {1}


def level(destination: Destination) -> int:
    """How full its directory is; nothing is known before the first record."""
    return destination._session.quota.level if destination._session else 0


def test_above_the_cap_bodies_collapse_and_the_count_stays_exact(
    place: Path, address: str, logger_to: Make
) -> None:
    logger = logger_to(spool_limit="64KB")
    sent = 0
    pressed = logger.handlers[0].destination
    while level(pressed) < 2:
        logger.error(f"a long text {sent} " + "x" * 500)
        sent += 1
    for _ in range(100):
        logger.error("over the cap")
    sent += 100
    with DaemonDouble(address) as daemon:
        assert until(lambda: daemon.memory.counted + daemon.memory.reported >= sent)
        assert daemon.memory.counted + daemon.memory.reported == sent
        assert daemon.memory.lost["spool_full"] >= 100


def test_a_full_directory_makes_room_once_it_is_shipped(address: str, logger_to: Make) -> None:
    logger = logger_to(spool_limit="64KB")
    destination = logger.handlers[0].destination
    while level(destination) < 1:
        logger.error("x" * 500)
    with DaemonDouble(address):
        assert until(lambda: level(destination) == 0)
