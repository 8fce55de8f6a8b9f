"""Whatever is logged, and whatever is done to the files: the program lives and the count is right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.running import Daemon, until

from tocsin.handler import TocsinHandler
from tocsin.handler.spool import frames

HERE = Path(__file__).parent
LOGGED = 40
PROGRAM = """
import logging, os
from tocsin.handler import TocsinHandler
log = logging.Logger("x")
log.addHandler(TocsinHandler(service="dead"))
for number in range(40):
    log.error(f"record#{number}", extra={"fingerprint": [f"record#{number}"]})
os._exit(0)
"""


@contextmanager
def next_start(daemon: Daemon) -> Iterator[TocsinHandler]:
    """Another program of that user: adopts what the dead have left."""
    handler = TocsinHandler(daemon.endpoint, "next", spool=daemon.spool)
    try:
        yield handler
    finally:
        handler.close()
        handler.destination.finish(5)


def test_each_hostile_record_is_counted_once_and_the_program_lives(daemon: Daemon) -> None:
    ended = subprocess.run(
        [sys.executable, str(HERE / "hostile.py")], env=daemon.environ, capture_output=True, timeout=100
    )
    assert ended.returncode == 0
    logged = int(ended.stdout)
    assert logged >= 60
    daemon.up()
    with next_start(daemon):
        assert until(lambda: daemon.total() >= logged, 30)
    assert (daemon.total(), daemon.lost(), daemon.quarantined()) == (logged, {}, 0)


def cut(data: bytes, starts: list[int]) -> bytes:
    """A write that was cut short."""
    return data[: starts[-1] + 30]


def emptied(data: bytes, starts: list[int]) -> bytes:
    return b""


def flipped(data: bytes, starts: list[int]) -> bytes:
    at = starts[LOGGED // 2] + 40
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def with_garbage(data: bytes, starts: list[int]) -> bytes:
    at = starts[LOGGED // 2]
    return data[:at] + os.urandom(500) + data[at:]


@pytest.mark.parametrize(("damage", "gone"), [(cut, 1), (flipped, 1), (with_garbage, 0), (emptied, None)])
def test_damage_costs_its_own_records_only_and_is_shown(
    damage: Callable[[bytes, list[int]], bytes], gone: int | None, daemon: Daemon
) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], env=daemon.environ, timeout=60, check=True)
    (segment,) = daemon.spool.glob("*.seg")
    data = segment.read_bytes()
    starts, at = [], 0
    while found := frames.read(data, at):
        starts.append(found.offset)
        at = found.end
    segment.write_bytes(damage(data, starts))
    daemon.up()
    with next_start(daemon):
        assert until(lambda: not segment.exists())
    counted, lost = daemon.counted(), daemon.lost()
    assert set(counted.values()) <= {1}
    if gone is None:
        # Nothing is left that could say how many there were: that there was something is told.
        assert (counted, lost.total() >= 1) == (Counter(), True)
    else:
        assert (counted.total(), lost) == (LOGGED - gone, {"damaged": gone} if gone else {})


def test_frames_that_hold_nonsense_are_put_aside_and_hold_up_nothing(daemon: Daemon) -> None:
    nonsense = [b"\xc1", b"\x93\x01", b"\x01\x02", b"\x92\x01\xa1\xff", b"\x90", b"\xdd" + b"\xff" * 9]
    subprocess.run([sys.executable, "-c", PROGRAM], env=daemon.environ, timeout=60, check=True)
    (segment,) = daemon.spool.glob("*.seg")
    data = segment.read_bytes()
    head = frames.read(data, 0)
    assert head is not None
    odd = b"".join(frames.encode(0, payload) for payload in nonsense)
    segment.write_bytes(data[: head.end] + odd + data[head.end :])
    daemon.up()
    with next_start(daemon):
        assert until(lambda: not segment.exists())
    assert (daemon.total(), daemon.quarantined()) == (LOGGED, len(nonsense))
