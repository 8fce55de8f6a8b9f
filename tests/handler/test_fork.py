"""Forked children have a session of their own at once; what they log is counted, however they end."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from support.running import until

Make = Callable[..., logging.Logger]

CHILDREN = """
import logging, multiprocessing, os, signal, sys, threading
from tocsin.handler import TocsinHandler

def install():
    handler = TocsinHandler(os.environ["ENDPOINT"], "shop", spool=os.environ["SPOOL"])
    log.addHandler(handler)
    return handler

log = logging.getLogger("forks")

def child(number, handler_too=False):
    if handler_too:
        install()
    log.error(f"child {number}")

if __name__ == "__main__":
    handler = install()
"""


@pytest.fixture
def daemon(place: Path) -> Iterator[DaemonDouble]:
    with DaemonDouble(f"ipc://{place}/s") as double:
        yield double


def run(place: Path, body: str) -> None:
    script = place / "script.py"
    script.write_text(CHILDREN + "".join(f"    {line}\n" for line in body.splitlines()))
    environ = {**os.environ, "ENDPOINT": f"ipc://{place}/s", "SPOOL": str(place / "spool")}
    ended = subprocess.run(
        [sys.executable, str(script)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_children_that_end_with_os_exit_are_counted(
    place: Path, daemon: DaemonDouble, logger_to: Make
) -> None:
    body = """
for number in range(5):
    if os.fork() == 0:
        log.error(f"child {number}")
        os._exit(0)
for _ in range(5):
    os.wait()
log.error("parent")
"""
    run(place, body)
    logger_to()
    assert until(lambda: daemon.memory.counted >= 6)
    assert daemon.memory.messages == {**{f"child {n}": 1 for n in range(5)}, "parent": 1}


def test_a_child_says_hello_before_its_first_error(place: Path, daemon: DaemonDouble) -> None:
    body = """
if (pid := os.fork()) == 0:
    handler.destination.await_delivery(20)
    os._exit(0)
os.waitpid(pid, 0)
"""
    run(place, body)
    [header] = daemon.memory.headers.values()
    assert header.pid


def test_a_childs_child_is_counted(place: Path, daemon: DaemonDouble, logger_to: Make) -> None:
    body = """
if os.fork() == 0:
    log.error("child")
    if os.fork() == 0:
        log.error("grandchild")
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
"""
    run(place, body)
    logger_to()
    assert until(lambda: daemon.memory.counted >= 2)
    assert daemon.memory.messages == {"child": 1, "grandchild": 1}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_are_counted(
    method: str, place: Path, daemon: DaemonDouble, logger_to: Make
) -> None:
    body = f"""
context = multiprocessing.get_context({method!r})
children = [context.Process(target=child, args=(n, {method != "fork"})) for n in range(4)]
[one.start() for one in children]
[one.join() for one in children]
"""
    run(place, body)
    logger_to()
    assert until(lambda: daemon.memory.counted >= 4)
    assert daemon.memory.messages == {f"child {n}": 1 for n in range(4)}


def test_a_fork_while_other_threads_log_does_not_hang_the_child(
    place: Path, daemon: DaemonDouble, logger_to: Make
) -> None:
    body = """
going = True
def work(thread):
    number = 0
    while going:
        log.error(f"thread {thread} {number}")
        number += 1
    log.error(f"thread {thread} logged {number}")
threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
[one.start() for one in threads]
for number in range(10):
    if os.fork() == 0:
        signal.alarm(20)
        log.error(f"child {number}")
        os._exit(0)
    assert os.wait()[1] == 0
going = False
[one.join() for one in threads]
"""
    run(place, body)
    logger_to()
    memory = daemon.memory
    assert until(lambda: sum(memory.messages[f"child {n}"] for n in range(10)) == 10)
    assert until(lambda: sum(" logged " in text for text in memory.messages) == 2)
    said = sum(int(text.split()[-1]) for text in list(memory.messages) if " logged " in text)
    assert until(lambda: memory.counted == said + 12)
    assert set(memory.messages.values()) == {1}


def test_a_healthy_childs_files_are_not_adopted_when_its_parent_dies(place: Path, logger_to: Make) -> None:
    body = """
if os.fork() == 0:
    log.error("child")
    handler.destination.await_delivery(20)
    print("child has shipped", flush=True)
    sys.stdin.read()
    os._exit(0)
log.error("parent")
os.kill(os.getpid(), signal.SIGKILL)
"""
    script = place / "script.py"
    script.write_text(CHILDREN + "".join(f"    {line}\n" for line in body.splitlines()))
    environ = {**os.environ, "ENDPOINT": f"ipc://{place}/s", "SPOOL": str(place / "spool")}
    process = subprocess.Popen([sys.executable, str(script)], env=environ, stdin=-1, stdout=-1)
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        assert process.stdout.readline() == b"child has shipped\n"
        logger_to()
        assert until(lambda: daemon.memory.messages == {"child": 1, "parent": 1})
        assert until(lambda: len(daemon.memory.live) == 3)
        assert sorted(daemon.memory.live.values()) == [False, True, True]
        process.stdin.close()
        process.stdout.close()
        process.wait()
