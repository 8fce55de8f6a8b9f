"""A file that holds the whole database: made while the daemon runs, checked by opening it.

SQLite by its online backup, Postgres by pg_dump.
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

from tocsin.daemon.failure import Failed
from tocsin.daemon.ownership import give_back, make_directory
from tocsin.daemon.store import schema
from tocsin.daemon.store.url import sqlite_path

SUFFIX = ".backup"
_SQLITE = b"SQLite format 3\0"
_PG_DUMP = b"PGDMP"


class BackupError(Failed):
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
    """When the daemon was last seen alive in it, epoch seconds."""


def write(url: str, path: Path) -> Contents:
    """Writes a backup of the database to the file, mode 0600; it appears whole or not at all.

    Raises BackupError.
    """
    if path.exists():
        raise BackupError(f"{path} is there already; name another file, or a directory")
    if not path.parent.is_dir():
        raise BackupError(f"{path}: there is no directory {path.parent}; make it, or name another file")
    part = path
    try:
        with tempfile.TemporaryDirectory(prefix=".tocsin-", dir=path.parent) as made:
            part = Path(made) / "part"
            if urlsplit(url).scheme == "sqlite":
                _copy_sqlite(sqlite_path(url), part)
            else:
                postgres("pg_dump", url, "--format=custom", f"--file={part}")
            part.chmod(0o600)
            found = inspect(part)
            sync(part)
            part.rename(path)
            sync(path.parent)
    except OSError as error:
        # Not by `error.filename`: the file that could not be made has a name of the moment.
        raise BackupError(f"{path}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise BackupError(f"{path}: {error}") from None
    except BackupError as error:
        raise BackupError(str(error).replace(str(part), str(path))) from None
    return msgspec.structs.replace(found, path=str(path))


def keep_before(url: str, directory: Path, migration: str, now: float) -> Path:
    """A backup of the database as the last `migration` made it, named by its number; the file.

    Earlier ones of the same number go: a migration that fails is tried again and again. Raises BackupError.
    """
    stem = f"schema-{schema.number(migration)}-"
    with explained(directory):
        make_directory(directory, 0o700)
        former = list(directory.glob(f"{stem}*{SUFFIX}"))
        path = directory / f"{stem}{stamp(now)}{SUFFIX}"
        if path in former:
            return path
        write(url, path)
        give_back(path)
        for old in former:
            old.unlink()
    return path


def inspect(path: Path) -> Contents:
    """Opens a backup, checks it, and says what it holds. Raises BackupError."""
    with explained(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    if head.startswith(_PG_DUMP) and "error_logs" in run(["pg_restore", "--list", str(path)]):
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
    if newer := applied - set(schema.known()):
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


def postgres(program: str, url: str, *arguments: str) -> str:
    """Runs one of Postgres' programs; the password goes by the environment, where `ps` does not show it."""
    parts = urlsplit(url)
    environ = dict(os.environ)
    if parts.password:
        environ["PGPASSWORD"] = unquote(parts.password)
        url = url.replace(f":{parts.password}@", "@", 1)
    return run([program, f"--dbname={url}", *arguments], environ)


def run(command: list[str], environ: dict[str, str] | None = None) -> str:
    """Runs a program; what it said. Raises BackupError with its reason, or how to install it."""
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
def explained(path: Path) -> Iterator[None]:
    """What the file system or SQLite refuses becomes a BackupError that names the file."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise BackupError(f"{path}: {error}") from None


def sync(path: Path) -> None:
    """The file, or the names in the directory, survive a power cut from here on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stamp(now: float) -> str:
    """The moment in a file's name: it sorts by time."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
