"""A handler that was made and not used does nothing; one that is used, or whose program has settled, is there."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from support.running import until

from tocsin.handler import TocsinHandler

Make = Callable[..., logging.Logger]

PROGRAM = """
import ctypes, logging, logging.config, os, signal, subprocess, sys, threading, time
from tocsin.handler import TocsinHandler
log = logging.getLogger("program")
handler = TocsinHandler(sys.argv[1], "shop", spool=sys.argv[2], heartbeat=0.1)
log.addHandler(handler)
def threads():
    return len(os.listdir("/proc/self/task"))
"""


def run(place: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", PROGRAM + body, f"ipc://{place}/s", str(place / "spool")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_handler_that_is_made_opens_no_file_and_no_directory(place: Path) -> None:
    body = "print(os.path.exists(sys.argv[2]), handler.destination._session, flush=True); os._exit(0)"
    assert run(place, body).stdout == "False None\n"


def test_a_program_that_logs_nothing_is_seen_alive_once_it_has_settled(place: Path, logger_to: Make) -> None:
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger_to()
        assert until(lambda: len(daemon.memory.headers) == 1, 20)


def test_a_silent_program_leaves_its_start_and_its_end_for_the_next_one(place: Path, logger_to: Make) -> None:
    assert run(place, "").returncode == 0
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger_to().error("the next one")
        assert until(lambda: len(daemon.memory.goodbyes) == 1)
        [(session, backlog)] = daemon.memory.goodbyes.items()
        assert (daemon.memory.live[session], backlog) == (False, 0)
        assert daemon.memory.ended[session] is not None
    assert until(lambda: len(list((place / "spool").glob("*.lock"))) == 1)


def test_the_goodbye_of_one_that_was_killed_does_not_say_that_it_ended(place: Path, logger_to: Make) -> None:
    run(place, "log.error('last'); os.kill(os.getpid(), signal.SIGKILL)")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger_to().error("the next one")
        assert until(lambda: len(daemon.memory.goodbyes) == 1)
        assert list(daemon.memory.ended.values()) == [None]


def test_silent_programs_ship_what_they_left_when_no_other_does(place: Path) -> None:
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        for _ in range(21):
            run(place, "from tocsin.handler import destination; destination.SILENT = 3")
        assert len(daemon.memory.goodbyes) >= 15
    assert len(list((place / "spool").glob("*.lock"))) <= 4


def test_a_child_that_becomes_another_program_begins_no_session(place: Path) -> None:
    body = """
log.error("parent")
before = set(os.listdir(sys.argv[2]))
for _ in range(10):
    subprocess.run(["true"], preexec_fn=os.setsid, check=True)
pid, terminal = os.forkpty()
if pid == 0:
    os.execvp("true", ["true"])
os.waitpid(pid, 0)
print(set(os.listdir(sys.argv[2])) - before, flush=True)
os._exit(0)
"""
    assert run(place, body).stdout == "set()\n"


def test_a_fork_meets_no_thread_of_a_handler_that_was_not_used(place: Path) -> None:
    body = """
found = []
os.register_at_fork(after_in_parent=lambda: found.append(threads()))
handler.destination.await_first_use()
os.register_at_fork(before=lambda: found.append(threads()))
if os.fork() == 0:
    os._exit(0)
os.wait()
print(found[0] > 1, flush=True)
"""
    # The last hook registered is called first: it meets the settling thread, which then is stopped.
    assert run(place, body + "os._exit(0)").stdout == "True\n"
    counted = """
class Count(list):
    pass
real = os.fork
from tocsin.handler.settling import settling
settling.pause()
print(threads(), flush=True)
os._exit(0)
"""
    assert run(place, counted).stdout == "1\n"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads by /proc")
def test_a_child_forked_without_pythons_hooks_has_a_session_of_its_own(place: Path, logger_to: Make) -> None:
    body = """
from tocsin.handler import process
process.threads_run = lambda: False
log.error("parent")
fork = ctypes.PyDLL(None).fork
if fork() == 0:
    for number in range(50):
        log.error(f"child {number}")
    os._exit(0)
os.wait()
log.error("parent again")
os._exit(0)
"""
    # As in uWSGI's master no thread runs: CPython itself may hang in a child that was forked so beside one.
    assert run(place, body).returncode == 0
    logger_to().error("the next one")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.counted == 53)
        assert set(daemon.memory.messages.values()) == {1}
        assert len({header.pid for header in daemon.memory.headers.values()}) == 3


@pytest.mark.parametrize("how", ["closerange", "two forks, then closerange"])
def test_a_daemon_that_closes_all_descriptors_lives_and_its_files_are_its_own(
    how: str, place: Path, logger_to: Make
) -> None:
    forks = "if os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n" if "fork" in how else ""
    body = f"""
{forks}os.closerange(3, 1 << 12)
own = [open(sys.argv[2] + str(n), "w+") for n in range(600)]
for one in own:
    one.write("precious"); one.flush()
for n in range(20):
    log.error("error %d", n)
time.sleep(0.5)  # The scenario: our thread has time in which it could write to them.
print([one.name for one in own if open(one.name).read() != "precious"], flush=True)
os._exit(0)
"""
    assert run(place, body).stdout == "[]\n"
    logger_to().error("the next one")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.counted == 21)


CLOSED = {
    "dictConfig": "logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})",
    "close": "handler.close()",
    "logging.shutdown": "logging.shutdown()",
}


@pytest.mark.parametrize("how", CLOSED)
def test_a_handler_that_is_closed_and_stays_attached_is_seen_alive(how: str, place: Path) -> None:
    body = f"""
from tocsin.handler.shipping import shipper
shipper.UNUSED = 0.1
log.error("first")
handler.destination.await_delivery(20)
{CLOSED[how]}
print("closed", flush=True)
sys.stdin.readline()
os._exit(0)
"""
    command = [sys.executable, "-c", PROGRAM + body, f"ipc://{place}/s", str(place / "spool")]
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        process = subprocess.Popen(command, stdin=-1, stdout=-1, text=True)
        try:
            assert process.stdout.readline() == "closed\n"
            seen = sum(daemon.memory.heartbeats.values())
            assert until(lambda: sum(daemon.memory.heartbeats.values()) > seen + 5)
            assert not daemon.memory.goodbyes
        finally:
            process.kill()
            process.communicate()


def test_the_hooks_of_a_closed_handler_stay_while_it_is_attached(place: Path, logger_to: Make) -> None:
    body = """
both = TocsinHandler(sys.argv[1], "shop", spool=sys.argv[2], uncaught=True)
logging.getLogger().addHandler(both)
logging.config.dictConfig({"version": 1, "incremental": True})
both.close()
raise LookupError("uncaught")
"""
    run(place, body)
    logger_to().error("the next one")
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.messages["Uncaught exception"] == 1)


def test_a_closed_handler_that_gets_a_record_has_its_hooks_again(logger_to: Make) -> None:
    former = sys.excepthook
    logger = logger_to(uncaught=True)
    handler = logger.handlers[0]
    handler.close()
    assert sys.excepthook == former
    logger.error("again")
    assert sys.excepthook != former
    handler.close()
    assert sys.excepthook == former


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_server_that_gives_up_its_rights_begins_as_who_it_is_then(place: Path) -> None:
    place.chmod(0o777)
    body = "os.setuid(12345); log.error('as another user'); handler.destination.await_delivery(20)"
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        os.chmod(place / "s", 0o777)
        assert run(place, body).stderr == ""
        assert until(lambda: daemon.memory.messages["as another user"] == 1)
    assert (place / "spool").stat().st_uid == 12345


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_session_that_has_begun_starts_again_under_the_new_user(place: Path) -> None:
    place.chmod(0o777)
    body = """
log.error("as root"); handler.destination.await_delivery(20)
first = handler.destination._session
os.setuid(12345)
while handler.destination._session is first:
    time.sleep(0.01)  # Polls for the session's end.
log.error("as another user"); handler.destination.await_delivery(20)
"""
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        os.chmod(place / "s", 0o777)
        assert run(place, body).returncode == 0
        assert until(lambda: daemon.memory.messages == {"as root": 1, "as another user": 1})
        assert len(daemon.memory.headers) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_caught_is_one_record_after_each_reconfiguration(logger_to: Make, place: Path) -> None:
    for _ in range(3):
        handler = logger_to(uncaught=True).handlers[0]
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        handler.close()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert until(lambda: daemon.memory.messages["Uncaught exception in a thread"] >= 3)
        assert daemon.memory.messages["Uncaught exception in a thread"] == 3


def test_a_handler_unpickled_in_a_fresh_process_has_its_children_say_goodbye() -> None:
    made = base64.b64encode(pickle.dumps(TocsinHandler("ipc:///nowhere", "shop"))).decode()
    body = f"import base64, pickle, sys; pickle.loads(base64.b64decode({made!r})); "
    body += "print('tocsin.handler.integrations.children' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
