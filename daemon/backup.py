"""One file that holds the whole database: made while the daemon runs, checked by opening it, and put back.

SQLite by its online backup, Postgres by pg_dump and pg_restore. Knows nothing of what the tables mean.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from tocsin.daemon.store.database import MIGRATIONS, Store, hold, open_store, sqlite_path
from tocsin.daemon.store.models import ErrorLog, Run
from tocsin.daemon.store.tickets import fact, remember_fact

RESTORED = "restored"
"""Key of the fact `moment of the backup's last word, moment of the restoring`, epoch seconds."""
SUFFIX = ".backup"
_SQLITE = b"SQLite format 3\0"
_PG_DUMP = b"PGDMP"


class BackupError(Exception):
    """The backup or the restoring did not happen; the text says why and what to do."""


class Contents(Struct, frozen=True):
    """What a backup holds; the counts are None for Postgres, whose dump is not read but by restoring it."""

    path: str
    size: int
    """Bytes."""
    errors: int | None = None
    tickets: int | None = None
    occurrences: int | None = None
    until: float | None = None
    """The daemon's last sign of life in it, epoch seconds."""


def take(store: Store, target: Path, now: float) -> Contents:
    """Writes a backup of the open database to the file, or to a new one in the directory; mode 0600.

    The file appears whole or not at all. Raises BackupError.
    """
    path = target / f"tocsin-{_stamp(now)}{SUFFIX}" if target.is_dir() else target
    if path.exists():
        raise BackupError(f"{path} is there already; name another file, or a directory")
    with _explained(path), tempfile.TemporaryDirectory(prefix=".tocsin-", dir=path.parent) as made:
        part = Path(made) / "part"
        if store.postgres:
            _postgres("pg_dump", store.url, "--format=custom", f"--file={part}")
        else:
            _copy_sqlite(sqlite_path(store.url), part)
        part.chmod(0o600)
        found = inspect(part)
        _sync(part)
        part.rename(path)
        _sync(path.parent)
    return msgspec.structs.replace(found, path=str(path))


def thin(directory: Path, keep: int) -> list[Path]:
    """Removes all but the newest backups that `take` named in the directory; returns the removed ones."""
    gone = sorted(directory.glob(f"tocsin-*Z{SUFFIX}"))[:-keep]
    for path in gone:
        path.unlink()
    return gone


def inspect(path: Path) -> Contents:
    """Opens a backup, checks it, and says what it holds. Raises BackupError."""
    with _explained(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    if head.startswith(_PG_DUMP) and "error_logs" in _run(["pg_restore", "--list", str(path)]):
        return Contents(str(path), size)
    if head != _SQLITE:
        raise BackupError(f"{path} holds no Tocsin database; choose another file")
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        ) as database:
            _check(database, path)
            return _contents(database, path, size)
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no usable SQLite database: {error}; choose another backup") from None


def restore(path: Path, url: str, now: float) -> tuple[Contents, Path | None]:
    """Puts a backup in the place of the database; returns what it holds and where the old one is kept.

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
    store = open_store(url)
    try:
        with store.transaction():
            last = Run.select().order_by(Run.alive_until.desc()).first()
            remember_fact(RESTORED, f"{last.alive_until if last else 0.0},{now}")
    finally:
        store.close()
    if not postgres:
        _give_back(sqlite_path(url))
    return contents, aside


def restored(store: Store) -> tuple[float, float] | None:
    """(the restored backup's last word, when it was restored), epoch seconds; None when there was none."""
    with store.reading():
        text = fact(RESTORED)
    if text is None:
        return None
    until, _, at = text.partition(",")
    return float(until), float(at)


def _replace_sqlite(path: Path, database: Path, url: str, now: float) -> Path | None:
    with _explained(database):
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = hold(database.with_suffix(".lock"), url)
        try:
            part = database.with_name(database.name + ".restoring")
            shutil.copyfile(path, part)
            part.chmod(0o600)
            inspect(part)
            _sync(part)
            aside = _set_aside(database, now)
            part.rename(database)
            _sync(database.parent)
        finally:
            os.close(lock)
    return aside


def _give_back(database: Path) -> None:
    """What root restored belongs to the directory's owner, else the daemon could not open it."""
    if os.geteuid():
        return
    owner = database.parent.stat()
    beside = [database.with_suffix(suffix) for suffix in (".lock", ".migration")]
    for path in (database, *(Path(f"{database}{suffix}") for suffix in ("-wal", "-shm")), *beside):
        if path.exists():
            os.chown(path, owner.st_uid, owner.st_gid)


def _set_aside(database: Path, now: float) -> Path | None:
    """Renames the old database with its log, which belongs to it and would corrupt the new one."""
    if not database.exists():
        return None
    aside = database.with_name(f"{database.name}.before-restore-{_stamp(now)}")
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
    _postgres("pg_restore", url, "--single-transaction", "--no-owner", "--no-privileges", str(path))


def _copy_sqlite(source: Path, target: Path) -> None:
    """One step over all pages: a consistent picture, and in WAL mode no writer waits for it."""
    uri = f"{source.as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=60)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy, pages=-1)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")


def _check(database: sqlite3.Connection, path: Path) -> None:
    verdict = str(database.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if verdict != "ok":
        raise BackupError(f"{path} is damaged: {verdict}; choose another backup")
    if broken := database.execute("PRAGMA foreign_key_check").fetchone():
        raise BackupError(f"{path} is damaged: a row of {broken[0]} names one that is not there")
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"error_logs", "schema_migration"} <= tables:
        raise BackupError(f"{path} holds no Tocsin database; choose another file")
    applied = {str(row[0]) for row in database.execute("SELECT name FROM schema_migration")}
    if newer := applied - {file.stem for file in MIGRATIONS.glob("[0-9]*.py")}:
        raise BackupError(f"{path} was made by a newer tocsin (it has {min(newer)}); install that one first")


def _contents(database: sqlite3.Connection, path: Path, size: int) -> Contents:
    def one(sql: str) -> str | int | None:
        found: str | int | None = database.execute(sql).fetchone()[0]
        return found

    until = one("SELECT max(alive_until) FROM daemon_runs")
    return Contents(
        path=str(path),
        size=size,
        errors=int(one("SELECT count(*) FROM error_logs") or 0),
        tickets=int(one("SELECT count(*) FROM support_tickets") or 0),
        occurrences=int(one("SELECT sum(occurrences) FROM error_logs") or 0),
        until=datetime.fromisoformat(str(until)).replace(tzinfo=UTC).timestamp() if until else None,
    )


def _postgres(program: str, url: str, *arguments: str) -> str:
    """Runs one of Postgres' programs; the password goes by the environment, where `ps` does not show it."""
    parts = urlsplit(url)
    environ = dict(os.environ)
    if parts.password:
        environ["PGPASSWORD"] = unquote(parts.password)
        url = url.replace(f":{parts.password}@", "@", 1)
    return _run([program, f"--dbname={url}", *arguments], environ)


def _run(command: list[str], environ: dict[str, str] | None = None) -> str:
    program = shutil.which(command[0])
    if program is None:
        raise BackupError(f"{command[0]} is not installed; on Debian: apt-get install postgresql-client")
    done = subprocess.run(  # noqa: S603 - a fixed program, its arguments are no shell text
        [program, *command[1:]], env=environ, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise BackupError(f"{command[0]} failed: {said[:500]}")
    return done.stdout


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise BackupError(f"{path}: {error}") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
