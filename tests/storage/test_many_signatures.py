"""Endless new signatures: the sums stay exact, and neither disk, memory nor mailbox fills."""

from __future__ import annotations

from pathlib import Path

import pytest
from peewee import fn
from support.world import App, World, an_error

from tocsin.daemon.ingest import new_errors
from tocsin.daemon.ingest.digest import Received
from tocsin.daemon.store.database import open_store
from tocsin.daemon.store.models import ErrorLog, HourCount, Mail

PLACES = 500
AT_ONCE = 1000


def memory_peak(*, again: bool = False) -> int:
    """Bytes of this process in memory at most; `again`: counted from now on."""
    if again:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def offer(world: World, app: App, first: int) -> None:
    """The next `AT_ONCE` errors, each of a signature of its own."""
    events = [
        an_error(f"strange {n}", at=world.now, function=f"place_{n % PLACES}", fingerprint=(f"kind {n}",))
        for n in range(first, first + AT_ONCE)
    ]
    world.digest.handle([Received("", app.batch(*events))], world.now)


@pytest.mark.timeout(3600)
def test_the_sums_are_exact_and_the_errors_mails_and_bytes_bounded(
    tmp_path: Path, long: bool, monkeypatch: pytest.MonkeyPatch
):
    number = 1_000_000 if long else 20_000
    if not long:
        monkeypatch.setattr(new_errors, "ERRORS_PER_PLACE", 10)
        monkeypatch.setattr(new_errors, "ERRORS_PER_SERVICE", 2000)
    store = open_store(f"sqlite:///{tmp_path / 'tocsin.db'}")
    try:
        world = World(store)
        app = world.app()
        # This process may have run other tests, and grown by them.
        before = memory_peak(again=True)
        for first in range(0, number, AT_ONCE):
            offer(world, app, first)
        with store.reading():
            assert ErrorLog.select(fn.SUM(ErrorLog.occurrences)).scalar() == number
            assert HourCount.select(fn.SUM(HourCount.count)).scalar() == number
            most = new_errors.ERRORS_PER_SERVICE + PLACES + 1
            assert ErrorLog.select().count() <= most
            assert Mail.select().count() <= world.config.tickets.new_per_hour + PLACES + 1
        size = sum(file.stat().st_size for file in tmp_path.iterdir())
        memory = memory_peak()
        print(f"{number} signatures: {size >> 20} MB of database, {memory - before >> 20} MB more in memory")
        assert size < 200 * 1024**2
        assert memory - before < 200 * 1024**2
    finally:
        store.close()
