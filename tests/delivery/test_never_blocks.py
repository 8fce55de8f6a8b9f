"""Log calls wait for nobody, whatever state the daemon is in."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq
from support.running import SOAK, Daemon

CALLER = Path(__file__).with_name("caller.py")
LIMITS = {"thread": 0.001, "asyncio": 0.050, "gevent": 0.150}
"""Seconds: the 99th percentile of the calls, the lag of the loop, the gap between two ticks."""
TRIES = 4
"""A busy machine makes everybody wait now and then: one run in so many has to be undisturbed."""

State = Callable[[Daemon], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def absent(daemon: Daemon) -> Iterator[None]:
    yield


@contextlib.contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    process = daemon.up().process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    yield


@contextlib.contextmanager
def killed(daemon: Daemon) -> Iterator[None]:
    """Its socket file stays."""
    daemon.up().kill()
    yield


@contextlib.contextmanager
def mute(daemon: Daemon) -> Iterator[None]:
    """Takes every connection and message, and answers none."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(daemon.endpoint)
    yield
    socket.close(linger=0)
    context.term()


CASES = [
    (kind, state)
    for kind in LIMITS
    for state in (absent, stopped, killed, mute)
    if SOAK > 1 or kind == "thread" or state in (stopped, mute)
]


@pytest.mark.parametrize(("kind", "state"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_log_calls_keep_nobody_waiting(kind: str, state: State, daemon: Daemon) -> None:
    calls = 10_000 if SOAK == 1 else 100_000
    command = [sys.executable, str(CALLER), kind, str(calls)]
    waited = []
    with state(daemon):
        for _ in range(TRIES):
            ended = subprocess.run(
                command, env=daemon.environ, capture_output=True, text=True, timeout=110, check=True
            )
            waited.append(json.loads(ended.stdout))
            if waited[-1] <= LIMITS[kind]:
                break
    print(f"\n{kind}, daemon {state.__name__}, {calls} calls: {waited[-1] * 1000:.2f} ms")
    assert min(waited) <= LIMITS[kind]
