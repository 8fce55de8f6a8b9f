"""`tocsin ship`: what dead processes left behind is shipped, and what stays is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from support.secured_daemon import SecuredDaemon

DIE = """
import logging, os, sys
from tocsin.handler import TocsinHandler

log = logging.getLogger("shop")
log.addHandler(TocsinHandler(sys.argv[1], service="shop", spool=sys.argv[2]))
for number in range(5):
    log.error("order %d", number)
os.kill(os.getpid(), 9)
"""


def leave_behind(house: SecuredDaemon) -> str:
    """A program logged five errors while no daemon was there, and was killed."""
    spool = str(house.place / "left")
    died = subprocess.run([sys.executable, "-c", DIE, house.ipc, spool], env=house.environ, timeout=60)
    assert died.returncode == -signal.SIGKILL
    return spool


def test_what_a_killed_program_left_is_counted_and_nothing_stays(house: SecuredDaemon) -> None:
    spool = leave_behind(house)
    house.up()
    done = house.tocsin("ship", spool)
    assert done.returncode == 0, done
    assert "shop" in done.stdout
    assert "shipped" in done.stdout
    assert house.counted() == 5
    assert not [name for name in os.listdir(spool) if name.endswith(".seg")]


def test_without_a_daemon_it_stays_and_the_exit_code_says_so(house: SecuredDaemon) -> None:
    spool = leave_behind(house)
    done = house.tocsin("ship", spool, "--patience", "0.5", "--json")
    assert done.returncode == 1
    assert [(one["service"], one["shipped"]) for one in json.loads(done.stdout)] == [("shop", False)]
    assert house.ipc in json.loads(done.stdout)[0]["reason"]


def test_a_directory_that_is_not_there_is_named(house: SecuredDaemon) -> None:
    done = house.tocsin("ship", str(house.place / "nowhere"))
    assert done.returncode == 1
    assert "nowhere" in done.stderr
