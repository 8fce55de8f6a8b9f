"""Whatever the host is like, the application starts, its files stay its own, and its errors are counted once."""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from support.running import until

from tocsin.handler import paths, process
from tocsin.handler.session import describe
from tocsin.handler.settings import Settings, resolve_settings
from tocsin.handler.shipping.adoption import claim_session
from tocsin.handler.shipping.connection import Connection
from tocsin.handler.spool import guards
from tocsin.handler.spool.claim import Claim
from tocsin.handler.spool.descriptors import OwnFile, ReservedDescriptor
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.segments import segments

Make = Callable[..., logging.Logger]


@pytest.fixture
def spool(place: Path) -> Spool:
    settings = Settings(endpoints=(f"ipc://{place}/s",), service="shop", spool=str(place / "spool"))
    return Spool(settings.spool, describe(settings))


def other_file(place: Path, number: int) -> Path:
    """A file of the application's, opened under a descriptor number that was ours."""
    path = place / f"own{number}"
    path.write_text("precious")
    opened = os.open(path, os.O_RDWR | os.O_APPEND)
    os.dup2(opened, number)
    os.close(opened)
    return path


# Descriptors


@pytest.mark.parametrize("what", ["append", "note", "rotate", "failed writes", "stop"])
def test_an_applications_file_under_the_spools_number_stays_as_it_is(
    what: str, spool: Spool, place: Path
) -> None:
    path = other_file(place, spool.fd)
    number = spool.fd
    spool.failed_writes.append(1)
    try:
        {
            "append": lambda: spool.append(b"x"),
            "note": lambda: spool.note(b"x"),
            "rotate": lambda: spool.rotate(0.0),
            "failed writes": spool.record_failed_writes,
            "stop": spool.stop,
        }[what]()
    except OSError:
        assert what in ("append", "note", "failed writes")
    assert path.read_text() == "precious"
    assert os.fstat(number).st_ino == path.stat().st_ino
    os.close(number)


def test_an_applications_file_under_the_locks_number_is_not_truncated(place: Path, spool: Spool) -> None:
    claim = spool.claim
    path = other_file(place, claim._file.fd)
    with pytest.raises(OSError, match="closed by the application"):
        claim.write(spool.state)
    claim.release(remove=False)
    assert path.read_text() == "precious"


def test_an_event_whose_descriptor_was_taken_is_counted(place: Path, logger_to: Make) -> None:
    logger = logger_to()
    logger.error("first")
    session = logger.handlers[0].destination._session
    path = other_file(place, session.spool.fd)
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        for number in range(20):
            logger.error(f"{number}")
        assert until(lambda: daemon.memory.counted == 21)
    assert path.read_text() == "precious"


def test_a_parked_number_that_the_application_took_is_not_used_again(place: Path) -> None:
    one = ReservedDescriptor()
    one.park()
    path = other_file(place, one.fd)
    other = ReservedDescriptor()
    assert other.fd != one.fd
    assert path.read_text() == "precious"
    os.close(one.fd)


def test_a_descriptor_that_became_anothers_is_not_closed(place: Path) -> None:
    (place / "ours").touch()
    file = OwnFile(os.open(place / "ours", os.O_RDONLY))
    number = file.fd
    path = other_file(place, number)
    file.close()
    assert os.fstat(number).st_ino == path.stat().st_ino
    os.close(number)


def test_a_limit_lowered_below_the_numbers_loses_nothing(place: Path) -> None:
    code = """
import logging, os, resource, sys
from tocsin.handler import TocsinHandler
log = logging.Logger("limits")
log.addHandler(handler := TocsinHandler(sys.argv[1], "shop", spool=sys.argv[2]))
log.error("first")
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
handler.destination._session.spool.rotate(0.0)
for number in range(50):
    log.error(f"{number}")
if os.fork() == 0:
    log.error("child")
    handler.destination.finish(5)
    os._exit(0)
os.wait()
"""
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        # CPython 3.12 and newer warn of a fork beside threads.
        command = [sys.executable, "-W", "ignore:This process", "-c", code, f"ipc://{place}/s"]
        command.append(str(place / "spool"))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert until(lambda: daemon.memory.counted == 52)


def test_a_number_above_the_limit_is_given_up_for_one_below_it(place: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptor = ReservedDescriptor()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        descriptor.point(os.open(place / "file", os.O_WRONLY | os.O_CREAT))
        assert descriptor.fd < 200
        assert descriptor.ours
        descriptor.park()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Files that somebody removes


def test_events_stand_in_a_named_file_after_the_spool_was_emptied(place: Path, logger_to: Make) -> None:
    logger = logger_to()
    logger.error("before")
    session = logger.handlers[0].destination._session
    directory = Path(session.spool.directory)
    for path in directory.iterdir():
        path.unlink()
    logger.error("in the file without a name")
    assert until(lambda: session.spool.segment > 0)
    logger.error("after")
    assert session.spool.intact
    written = b"".join(path.read_bytes() for path in directory.glob("*.seg"))
    assert [text for text in (b"before", b"without a name", b"after") if text not in written] == []
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.counted == 3)


def test_a_spool_directory_that_was_removed_is_made_again(spool: Spool) -> None:
    spool.append(b"before")
    for path in Path(spool.directory).iterdir():
        path.unlink()
    os.rmdir(spool.directory)
    assert not spool.intact
    assert spool.restore()
    assert spool.intact
    assert [one.number for one in segments(spool.directory, spool.header.session)] == [0, 1]


def test_a_session_that_another_process_holds_by_now_is_left_to_it(spool: Spool) -> None:
    os.unlink(spool.claim.path)
    other = Claim.acquire(spool.directory, spool.header.session)
    assert other is not None
    assert not spool.restore()


def test_a_living_owners_session_is_not_adopted_although_its_lock_is_gone(spool: Spool) -> None:
    os.unlink(spool.claim.path)
    assert claim_session(spool.directory, spool.header.session) is None
    assert spool.restore()


# Locks, leases, identity


def test_locks_that_do_nothing_are_found_out_and_told(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert not guards.guards(str(place)).locks
    assert "locks do nothing" in capsys.readouterr().err
    monkeypatch.undo()
    guards.guards.cache_clear()
    assert guards.guards(str(place)) == (True, True)


NO_LOCKS = """
import fcntl, logging, sys, time
fcntl.flock = lambda *_: None
from tocsin.handler import TocsinHandler
log = logging.Logger("nolocks")
log.addHandler(handler := TocsinHandler(sys.argv[1], "shop", spool=sys.argv[2], heartbeat=0.1))
for number in range(400):
    log.error(f"{sys.argv[3]} {number}")
    time.sleep(0.005)  # The load: slow enough that both processes live at once.
handler.destination.await_delivery(20)
"""


def test_two_processes_whose_locks_do_nothing_are_counted_once(place: Path) -> None:
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        both = [
            subprocess.Popen(
                [sys.executable, "-c", NO_LOCKS, f"ipc://{place}/s", str(place / "spool"), name], stderr=-3
            )
            for name in "ab"
        ]
        assert [one.wait(60) for one in both] == [0, 0]
        assert until(lambda: daemon.memory.counted == 800)
        assert (set(daemon.memory.messages.values()), daemon.memory.lost) == ({1}, {})


def test_a_refused_lease_wins_over_the_grace_period(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "GRACE", 0.0)
    first = segments(spool.directory, spool.header.session)[0]
    late = os.open(first.path, os.O_WRONLY | os.O_APPEND)
    spool.rotate(0.0)
    assert not spool.sealed(first)
    os.close(late)
    assert spool.sealed(first)


def test_a_process_is_known_by_more_than_its_number() -> None:
    mine = process.identity()
    assert mine.lives
    assert mine._replace(born=mine.born + 1).lives is False
    assert mine._replace(boot="another").lives is None
    assert mine._replace(namespace=1).lives is None


# Users, homes, addresses


HOSTS = {
    "no home": ({}, "os.setuid(12345)"),
    "a home that does not exist": ({"HOME": "/nonexistent"}, "os.setuid(12345)"),
    "a home longer than a socket's path": ({"HOME": "/tmp/" + "h" * 110}, ""),
    "a deleted working directory": (
        {"HOME": "/tmp"},
        "gone = tempfile.mkdtemp(); os.chdir(gone); os.rmdir(gone)",
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("host", HOSTS)
def test_the_application_starts_whatever_the_host_lacks(host: str, place: Path) -> None:
    environ, before = HOSTS[host]
    code = f"""
import logging, os, pwd, tempfile, encodings.ascii, encodings.idna
from tocsin.handler import TocsinHandler
os.environ.clear(); os.environ.update({environ!r})
{before}
for arguments in ({{}}, {{"endpoint": "ipc:///tmp/x.sock", "spool": "spool"}}):
    logging.getLogger().addHandler(TocsinHandler(**arguments))
logging.error("an error")
print("runs", flush=True)
os._exit(0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout == "runs\n", ended.stderr


def test_the_default_address_is_the_same_before_and_while_the_service_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SERVICE_RUNTIME", place / "run")
    environ = {"HOME": str(place), "XDG_STATE_HOME": str(place / "state")}
    before = resolve_settings({}, environ)[0].endpoints
    (place / "run").mkdir()
    assert resolve_settings({}, environ)[0].endpoints == before
    assert len(before) == 2


def test_an_address_whose_socket_exists_is_tried_before_one_whose_does_not(place: Path) -> None:
    connection = Connection((f"ipc://{place}/later", f"ipc://{place}/s"))
    with DaemonDouble(f"ipc://{place}/s"):
        assert connection.open()
        assert connection.endpoint == f"ipc://{place}/s"
    connection.close()


def test_a_daemon_that_starts_later_at_the_services_address_gets_what_waits(
    place: Path, logger_to: Make
) -> None:
    logger = logger_to(endpoint=[f"ipc://{place}/later", f"ipc://{place}/s"])
    logger.error("early")
    with DaemonDouble(f"ipc://{place}/later") as daemon:
        assert until(lambda: daemon.memory.counted == 1)


@pytest.mark.parametrize("new", ["another endpoint first", "another endpoint behind"])
def test_what_waits_for_one_endpoint_is_adopted_by_whoever_has_it_among_others(
    new: str, place: Path, logger_to: Make
) -> None:
    code = "import logging, os, sys\nfrom tocsin.handler import TocsinHandler\nlog = logging.Logger('x')\n"
    code += (
        "log.addHandler(TocsinHandler(sys.argv[1], 'shop', spool=sys.argv[2]))\nlog.error('old'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, f"ipc://{place}/s", str(place / "spool")], check=False)
    both = [f"ipc://{place}/other", f"ipc://{place}/s"]
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger_to(endpoint=both if "first" in new else both[::-1]).error("new")
        assert until(lambda: daemon.memory.messages == {"old": 1, "new": 1})


def test_what_waits_for_another_endpoint_is_not_sent_here(place: Path, logger_to: Make) -> None:
    settings = Settings(endpoints=(f"ipc://{place}/theirs",), service="shop", spool=str(place / "spool"))
    theirs = Spool(settings.spool, describe(settings))
    theirs.append(b"\x93")
    theirs.stop()
    theirs.claim.abandon()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger_to().error("ours")
        assert until(lambda: daemon.memory.counted == 1)
        assert until(lambda: len(daemon.memory.headers) == 1)
    assert segments(settings.spool, theirs.header.session)


# Clocks and disks


FROZEN = {
    "close": "handler.close()",
    "flush": "handler.flush()",
    "dictConfig": "import logging.config; logging.config.dictConfig({'version': 1})",
    "the end of a program that never thaws": "",
    "the end of a program that logged nothing": "logging.disable()",
}


@pytest.mark.parametrize("what", FROZEN)
def test_nothing_waits_for_a_clock_that_is_frozen(what: str, place: Path) -> None:
    code = f"""
import logging, sys
from freezegun import freeze_time
from tocsin.handler import TocsinHandler
handler = TocsinHandler(sys.argv[1], "frozen", spool=sys.argv[2])
logging.basicConfig(handlers=[handler])
freeze_time("2021-03-28 02:30").start()
logging.error("in a test")
{FROZEN[what]}
"""
    command = [sys.executable, "-c", code, f"ipc://{place}/s", str(place / "spool")]
    assert subprocess.run(command, timeout=20, check=False).returncode == 0


def test_a_wait_ends_although_no_clock_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "monotonic", lambda: 0.0)
    looks: list[int] = []
    assert not process.wait(0.05, lambda: looks.append(1) is not None)
    assert 1 < len(looks) < 100


def test_an_event_that_is_written_and_not_synced_is_counted_once(
    place: Path, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    logger = logger_to(durability="fsync")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        for number in range(10):
            logger.error(f"{number}")
        assert logger.handlers[0].destination.await_delivery(20)
        assert (daemon.memory.counted, daemon.memory.lost) == (10, {})


def test_a_page_marked_for_it_is_empty_in_a_child() -> None:
    flag = process.flag()
    flag[0] = 1
    if (pid := os.fork()) == 0:
        os._exit(flag[0])
    assert os.waitpid(pid, 0)[1] == 0
    assert flag[0] == 1


def test_without_such_pages_the_process_id_tells() -> None:
    flag = process._PidFlag()
    flag[0] = 1
    if (pid := os.fork()) == 0:
        os._exit(flag[0])
    assert os.waitpid(pid, 0)[1] == 0
    assert flag[0] == 1
