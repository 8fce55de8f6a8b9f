"""A disk without room: what is not committed is not acknowledged, and all of it is counted once there is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fleet import Application, Member, Tally
from support.running import until

from tocsin.daemon.store.database import open_store


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    disk = place / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tocsin", disk]).returncode:
        pytest.skip("mounting a file system needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_after_room_is_back_every_event_is_counted(place: Path, small_disk: Path):
    ballast = small_disk / "ballast"
    daemon = Member(place, "one", f"sqlite:///{small_disk}/tocsin.db", f"ipc://{place}/s").up()
    try:
        application = Application(place / "spool", [daemon.endpoint], 300, kinds=300)
        fill(ballast)
        assert until(lambda: daemon.said("not_stored")), daemon.written()
        refused = daemon.said("not_stored")
        assert until(lambda: daemon.said("not_stored") > refused)
        ballast.unlink()
        logged = application.end()
        store = open_store(f"sqlite:///{small_disk}/tocsin.db", migrate=False)
        try:
            tally = Tally(store)
            assert tally.is_exactly(logged), (vars(tally), logged)
        finally:
            store.close()
    finally:
        daemon.kill()


def fill(ballast: Path) -> None:
    """Takes all the room there is, to the last byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
