"""Backups taken while the daemon runs, and put back. Knows nothing of what the tables mean."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, json

from tocsin.daemon.ownership import give_back, make_directory
from tocsin.daemon.store import copies
from tocsin.daemon.store.copies import SUFFIX, BackupError, Contents, explained, inspect, stamp, sync
from tocsin.daemon.store.database import Store, hold, open_store, upgrade
from tocsin.daemon.store.models import ErrorLog, Run, Session
from tocsin.daemon.store.tickets import fact, remember_fact
from tocsin.daemon.store.url import sqlite_path

RESTORED = "restored"
"""Key of the fact that a backup was restored: a `Gap`."""


class Gap(Struct, frozen=True):
    """What a restored database knows nothing of. Moments in epoch seconds."""

    until: float
    """The backup's last word."""
    at: float
    """When it was restored."""
    events: int | None
    """Counted in between, by the database that was there; None when that cannot be told."""


def make(store: Store, target: Path, now: float) -> Contents:
    """Writes a backup of the open database to the file, or to a new one in the directory; mode 0600.

    The file appears whole or not at all. Raises BackupError.
    """
    return copies.write(store.url, target / f"tocsin-{stamp(now)}{SUFFIX}" if target.is_dir() else target)


def thin(directory: Path, keep: int) -> list[Path]:
    """Removes all but the newest backups that `take` named in the directory; returns the removed ones."""
    gone = sorted(directory.glob(f"tocsin-*Z{SUFFIX}"))[:-keep]
    for path in gone:
        path.unlink()
    return gone


class Restored(Struct, frozen=True):
    """What was put back, what it lacks, and where the database is kept that was there."""

    contents: Contents
    gap: Gap
    aside: Path | None


def restore(path: Path, url: str, now: float) -> Restored:
    """Puts a backup in the place of the database; one of an older version is brought up to date.

    No daemon may run on the database; a Postgres database must be empty, which keeps the old one too.
    Raises BackupError, and StoreError when a daemon runs.
    """
    contents = inspect(path)
    postgres = urlsplit(url).scheme != "sqlite"
    if postgres != (contents.errors is None):
        raise BackupError(f"{path} is a backup of the other kind of database; set database.url accordingly")
    if postgres:
        _fill_postgres(path, url)
        aside = None
    else:
        aside = _replace_sqlite(path, sqlite_path(url), url, now)
    store = open_store(url, migrate=False)
    try:
        upgrade(store)
        gap = _gap(store, aside, now)
        with store.transaction():
            remember_fact(RESTORED, json.encode(gap).decode())
    finally:
        store.close()
    if not postgres:
        _give_back(sqlite_path(url))
    return Restored(contents, gap, aside)


def restored(store: Store) -> Gap | None:
    """What the database lacks since a backup was restored; None when there was none."""
    with store.reading():
        text = fact(RESTORED)
    return None if text is None else json.decode(text, type=Gap)


def _gap(store: Store, aside: Path | None, now: float) -> Gap:
    with store.reading():
        last = Run.select().order_by(Run.alive_until.desc()).first()
        counted = dict(Session.select(Session.id, Session.events).tuples())
    before = _events(aside, store.identity) if aside else None
    events = None
    if before is not None:
        events = sum(max(count - counted.get(one, 0), 0) for one, count in before.items())
    return Gap(last.alive_until if last else 0.0, now, events)


def _events(path: Path, identity: str) -> dict[str, int] | None:
    """Events by session in a SQLite file, None when it cannot be read or is another database's."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT value FROM facts WHERE key = 'database_id'").fetchone()
            if row is None or row[0] != identity:
                return None
            return dict(database.execute("SELECT id, events FROM sessions"))
    except sqlite3.Error:
        return None


def _replace_sqlite(path: Path, database: Path, url: str, now: float) -> Path | None:
    with explained(database):
        make_directory(database.parent, 0o700)
        lock = hold(database.with_suffix(".lock"), url)
        try:
            part = database.with_name(database.name + ".restoring")
            shutil.copyfile(path, part)
            part.chmod(0o600)
            inspect(part)
            sync(part)
            aside = _set_aside(database, now)
            part.rename(database)
            sync(database.parent)
        finally:
            os.close(lock)
    return aside


def _give_back(database: Path) -> None:
    """What root restored, with the files beside it."""
    beside = [database.with_suffix(suffix) for suffix in (".lock", ".migration")]
    for path in (database, *(Path(f"{database}{suffix}") for suffix in ("-wal", "-shm")), *beside):
        if path.exists():
            give_back(path)


def _set_aside(database: Path, now: float) -> Path | None:
    """Renames the old database with its log, which belongs to it and would corrupt the new one."""
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.before-restore-{stamp(now)}")
    for suffix in ("-wal", "-shm", ""):
        old = Path(f"{database}{suffix}")
        if old.exists():
            old.rename(f"{aside}{suffix}")
    return aside


def _fill_postgres(path: Path, url: str) -> None:
    store = open_store(url, migrate=False, made=False)
    try:
        if ErrorLog.table_exists():
            raise BackupError(
                "the database is not empty; create another one, name it in database.url and restore into that"
            )
    finally:
        store.close()
    copies.postgres("pg_restore", url, "--single-transaction", "--no-owner", "--no-privileges", str(path))
