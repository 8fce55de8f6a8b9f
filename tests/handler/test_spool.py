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
from spools import dead, event
from support.running import until

from tocsin.handler.destination import Destination
from tocsin.handler.spool.claim import Claim
from tocsin.handler.spool.files import Spool, Unusable, prepare
from tocsin.handler.spool.quota import Quota
from tocsin.handler.spool.segments import segments, sweep

Make = Callable[..., logging.Logger]


@pytest.fixture
def address(place: Path) -> str:
    return f"ipc://{place}/s"


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


def test_no_event_is_dropped_before_its_count_can_outlive_a_kill(tmp_path: Path) -> None:
    levels: list[int] = []
    quota = Quota(str(tmp_path), 100, lambda: levels.append(quota.level))
    quota.measure(1000, 0.0)
    assert (levels, quota.level) == ([0], 2)
