"""Beyond the spool's limit events are only counted: counted and told as lost make what was logged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import Daemon, until

from tocsin.handler import TocsinHandler


@pytest.mark.parametrize("point", ["at once", "before the telling", "after the telling"])
def test_a_kill_beyond_the_limit_leaves_an_exact_count(point: str, daemon: Daemon) -> None:
    program = Path(__file__).with_name("overfull.py")
    ended = subprocess.run(
        [sys.executable, str(program), "500", point],
        env=daemon.environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    logged = int(ended.stdout)
    daemon.up()
    handler = TocsinHandler(daemon.endpoint, "next", spool=daemon.spool)
    try:
        assert until(lambda: daemon.total() + daemon.lost().total() >= logged, 20)
    finally:
        handler.close()
        handler.destination.finish(5)
    assert daemon.total() + daemon.lost().total() == logged
    assert daemon.lost()["spool_full"] >= 500
    assert os.listdir(daemon.spool) == []
