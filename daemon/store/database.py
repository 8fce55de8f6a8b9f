"""Opening a database, migrating it, and its transactions: SQLite and Postgres behind one `Store`."""

from __future__ import annotations

import fcntl
import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from peewee import (
    Database,
    DatabaseError,
    InterfaceError,
    OperationalError,
    PeeweeException,
    PostgresqlDatabase,
    SqliteDatabase,
    __exception_wrapper__,
)
from playhouse.migrations import Runner

from tocsin.daemon.failure import Failed
from tocsin.daemon.log import log
from tocsin.daemon.ownership import give_back, make_directory, remedy
from tocsin.daemon.store import copies, schema
from tocsin.daemon.store.copies import BackupError
from tocsin.daemon.store.models import KeyValue
from tocsin.daemon.store.tables import MODELS
from tocsin.daemon.store.url import shown, sqlite_path
from tocsin.handler.failpoints import reach

BACKUPS = "backup"
"""Directory of backups in the state directory."""
MIGRATING = 0x70C51_5C3A
"""Key of Postgres' advisory lock under which tables are changed."""

_SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "busy_timeout": 30_000,
    "journal_size_limit": 16 * 1024 * 1024,
}
_UTC = "-c timezone=UTC"
"""Moments are written without a zone."""
_POSTGRES_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": "60s",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "60s",
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 2,
    }.items()
)


_MOVED = (
    "the file was deleted or moved away while it was open; nothing more is acknowledged. Put it back, or stop the "
    "daemon and restore a backup (tocsin restore); until it stops, the data is in its open files (/proc/PID/fd)"
)
_REPLACED = "another file was put in its place while it was open; a daemon ends, to be started again on it"


class StoreError(Failed):
    """The database cannot be used. `permanent`: trying again does not help."""

    def __init__(self, text: str, *, permanent: bool) -> None:
        super().__init__(text)
        self.permanent = permanent


class StoreReplaced(StoreError):
    """Another file has the database's name: what this process remembers of the database is not true of it."""


class Store:
    """One open database. Each thread gets its own connection; one store is open per process."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.url = url
        self.postgres = isinstance(database, PostgresqlDatabase)
        self._path = None if self.postgres else sqlite_path(url)
        self._file: tuple[int, int] | None = None
        """Device and inode of SQLite's file, as it was when it was first connected to."""
        database.bind(MODELS)

    @property
    def identity(self) -> str:
        """The database's own id: a session is shipped into one database only."""
        return str(KeyValue.get_by_id("database_id").value)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction; IMMEDIATE on SQLite, where a deferred one fails when another writer is in.

        A connection that broke is closed: the next use opens a fresh one. Whether a commit that was cut off
        took place is not known; what runs in here must bear being done again.

        Raises StoreError, also after the commit, when SQLite's file is no longer the one that its name means:
        SQLite itself goes on writing into a deleted file.
        """
        try:
            self.check_file()
            with self._begun(() if self.postgres else ("IMMEDIATE",)):
                yield
            self.check_file()
        except (OperationalError, InterfaceError):
            self._drop_broken()
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One short, consistent read."""
        try:
            with self._begun(()):
                yield
        except (OperationalError, InterfaceError):
            self._drop_broken()
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what fails in here can be caught. Free on SQLite, with its one writer."""
        if self.postgres:
            with self.database.atomic():
                yield
        else:
            yield

    @contextmanager
    def _begun(self, how: tuple[str, ...]) -> Iterator[None]:
        """A transaction, on a fresh connection where a restart of the server has broken the old one."""
        self.connect()
        with ExitStack() as stack:
            try:
                stack.enter_context(self.database.atomic(*how))
            except (OperationalError, InterfaceError):
                if not self.postgres or self.database.in_transaction():
                    raise
                self.disconnect()
                self.connect()
                stack.enter_context(self.database.atomic(*how))
            yield

    def _drop_broken(self) -> None:
        if self.postgres and not self.database.is_closed() and self.database.connection().closed:
            self.disconnect()

    def run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """One prepared statement over many rows, placeholders written `?`: four times Peewee's own speed.

        Returns how many rows were changed in all.
        """
        if not rows:
            return 0
        with __exception_wrapper__:
            cursor = self.database.cursor()
            cursor.executemany(sql.replace("?", "%s") if self.postgres else sql, rows)
            return int(cursor.rowcount)

    def connect(self) -> None:
        """This thread's connection, opened when it is not."""
        self.database.connect(reuse_if_open=True)
        if self._file is None and self._path is not None:
            self._file = _identity(self._path)

    def check_file(self) -> None:
        """Raises StoreError when SQLite's file has lost its name, StoreReplaced when another file has it."""
        if self._path is None or self._file is None:
            return
        found = _identity(self._path)
        if found is None:
            raise _unusable(self, _MOVED)
        if found != self._file:
            raise StoreReplaced(f"database.url = {shown(self.url)}: {_REPLACED}", permanent=True)

    def disconnect(self) -> None:
        """Closes this thread's connection, a broken one too: the next use opens a fresh one."""
        self.drop(self.database)

    def separate(self) -> Database:
        """The same database once more, for a connection that is nobody else's."""
        return _database(self.url)

    @staticmethod
    def drop(database: Database) -> None:
        """Closes this thread's connection to `database`, a broken one too."""
        if not database.is_closed():
            try:
                database.close()
            except PeeweeException:
                database._state.reset()

    def close(self) -> None:
        self.disconnect()


def open_store(url: str, *, migrate: bool = True, made: bool = True) -> Store:
    """Opens the database at `sqlite:///file` or `postgresql://...`; an empty one gets its tables.

    Tables of an older version are refused: bringing them up to date is `upgrade`'s, with no daemon running.
    Without `migrate` they must be there (`made`), or whatever is there is left as it is.

    Raises StoreError with one line that names the database and the remedy.
    """
    store = Store(_database(url), url)
    try:
        store.connect()
        if migrate:
            _ready(store)
            _give_back(store)
        elif made and not KeyValue.table_exists():
            raise StoreError(f"{url}: no Tocsin database there yet; start `tocsin daemon`", permanent=True)
    except (PeeweeException, OSError) as error:
        hint = "" if store.postgres else remedy(sqlite_path(url))
        raise _unusable(store, f"{error}; {hint}" if hint else str(error)) from error
    return store


def _give_back(store: Store) -> None:
    """A database that root's command has made is the daemon's."""
    if not store.postgres and os.geteuid() == 0:
        path = sqlite_path(store.url)
        if path.stat().st_uid == 0:
            for one in (
                path,
                *path.parent.glob(f"{path.stem}.migration"),
                *path.parent.glob(f"{path.name}-*"),
            ):
                give_back(one)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _ready(store: Store) -> None:
    if not schema.applied(store.database):
        upgrade(store)
    elif names := schema.due(store.database):
        text = f"the tables are of an older tocsin, {', '.join(names)} is due"
        raise _unusable(store, f"{text}; restart the daemon, or run `tocsin migrate`")
    elif text := schema.newer(store.database):
        raise _unusable(store, text)


def _unusable(store: Store, text: str) -> StoreError:
    return StoreError(f"database.url = {shown(store.url)}: {text}", permanent=True)


class Upgrade(NamedTuple):
    """The migrations that were run, and the backup made before, None when there was nothing to keep."""

    names: list[str]
    backup: Path | None


def upgrade(store: Store, backups: Path | None = None, now: float = 0.0) -> Upgrade:
    """Runs the migrations that are due, all in one transaction, after a checked backup into `backups`.

    No daemon may run on the database; `now` (epoch seconds) names the backup. Without `backups` none is made.
    Raises StoreError, and nothing has changed then.
    """
    try:
        with _alone(store):
            return _upgraded(store, backups, now)
    except BackupError as error:
        text = f"nothing was migrated, because no backup could be made before: {error}"
        raise _unusable(store, f"{text}; or make one yourself, then: tocsin migrate --no-backup") from error
    except (PeeweeException, OSError) as error:
        raise _unusable(store, str(error)) from error


def _upgraded(store: Store, backups: Path | None, now: float) -> Upgrade:
    if text := schema.newer(store.database):
        raise _unusable(store, text)
    applied, due = schema.applied(store.database), schema.due(store.database)
    if not applied or not due:
        _migrate(store, due, None)
        return Upgrade(due, None)
    if elsewhere := _used_elsewhere(store):
        raise _unusable(store, elsewhere)
    backup = None if backups is None else copies.keep_before(store.url, backups, applied[-1], now)
    _migrate(store, due, backup)
    log.info("database_migrated", migrations=due, backup=backup and str(backup))
    return Upgrade(due, backup)


def _used_elsewhere(store: Store) -> str:
    """Why the tables may not be changed yet: a daemon on another host uses them. '' when none does."""
    if not store.postgres:
        return ""
    sql = (
        "SELECT host, pid FROM daemon_runs WHERE NOT stopped AND host <> %s "
        "AND alive_until > (now() AT TIME ZONE 'UTC') - interval '30 seconds'"
    )
    row = store.database.execute_sql(sql, (socket.gethostname(),)).fetchone()
    return f"a daemon of an older tocsin runs on {row[0]} (pid {row[1]}); stop it first" if row else ""


def _migrate(store: Store, names: Sequence[str], backup: Path | None) -> None:
    """In one transaction. SQLite rebuilds tables to change them: its foreign keys are checked at the end."""
    runner = Runner(store.database, directory=str(schema.MIGRATIONS), table_name=schema.HISTORY)
    current = ""
    if not store.postgres:
        store.database.execute_sql("PRAGMA foreign_keys = 0")
    try:
        with store.transaction():
            for current in names:
                runner.up(current)
                reach("in_migration")
            KeyValue.insert(key="database_id", value=uuid.uuid4().hex).on_conflict_ignore().execute()
            if fault := schema.lacking(store.database) or _dangling(store):
                raise _unusable(store, fault)
    except StoreError:
        raise
    except Exception as error:
        kept = f", a backup is {backup}" if backup else ""
        text = f"the migration {current} failed: {error!r}; the database is as it was{kept}"
        raise _unusable(store, f"{text}; install the tocsin that ran before, and report this") from error
    finally:
        if not store.postgres:
            store.database.execute_sql("PRAGMA foreign_keys = 1")


def _dangling(store: Store) -> str:
    """The row that names one that is not there, '' when there is none; Postgres looks after itself."""
    row = None if store.postgres else store.database.execute_sql("PRAGMA foreign_key_check").fetchone()
    return f"a row of {row[0]} names one that is not there" if row else ""


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """No other process changes tables meanwhile; a large table may take its time."""
    if not store.postgres:
        with _file_lock(sqlite_path(store.url).with_suffix(".migration")):
            yield
        return
    store.connect()
    try:
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            store.database.execute_sql(f"SET {setting} = 0")
        store.database.execute_sql("SELECT pg_advisory_lock(%s)", (MIGRATING,))
        store.database.execute_sql("SET lock_timeout = '30s'")
        yield
    finally:
        # The lock and the settings go with the connection.
        store.disconnect()


def claim(store: Store, state_dir: Path) -> int:
    """Makes this process the one daemon of a SQLite database; holds until the returned descriptor is closed.

    Raises StoreError that names the daemon already there.
    """
    path = state_dir / "daemon.lock" if store.postgres else sqlite_path(store.url).with_suffix(".lock")
    return hold(path, store.url)


def hold(path: Path, url: str) -> int:
    """Locks the file until the returned descriptor is closed. Raises StoreError that names who holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 100, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreError(
            f"another tocsin daemon (pid {holder}) already runs on {shown(url)}; stop it first",
            permanent=True,
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _database(url: str) -> Database:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = sqlite_path(url)
        try:
            make_directory(path.parent, 0o700)
        except OSError as error:
            raise StoreError(
                f"database.url = {url}: cannot make the directory {path.parent}: {error.strerror}",
                permanent=True,
            ) from None
        return SqliteDatabase(str(path), pragmas=_SQLITE_PRAGMAS, check_same_thread=True)
    options: dict[str, Any] = {
        "host": parts.hostname and unquote(parts.hostname),
        "port": parts.port,
        "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": f"{_POSTGRES_OPTIONS} {_UTC}",
    }
    for pair in filter(None, parts.query.split("&")):
        key, _, value = pair.partition("=")
        # Ours stay, the time zone above all; of two of a name the user's is the later one.
        options[key] = f"{_POSTGRES_OPTIONS} {unquote(value)} {_UTC}" if key == "options" else unquote(value)
    name = unquote(parts.path.lstrip("/"))
    return PostgresqlDatabase(name, **{key: value for key, value in options.items() if value is not None})


__all__ = ["DatabaseError", "Store", "StoreError", "claim", "hold", "open_store", "sqlite_path", "upgrade"]
