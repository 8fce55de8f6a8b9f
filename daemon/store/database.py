"""Opening a database, migrating it, and its transactions: SQLite and Postgres behind one `Store`."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
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
from playhouse.migrations import MigrationError, Runner

from tocsin.daemon.store.models import MODELS, Fact

MIGRATIONS = Path(__file__).parent / "migrations"

_SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "busy_timeout": 30_000,
    "journal_size_limit": 16 * 1024 * 1024,
}
_POSTGRES_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": "60s",
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "60s",
        "timezone": "UTC",
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 2,
    }.items()
)


class StoreError(Exception):
    """The database cannot be used. `permanent`: trying again does not help."""

    def __init__(self, text: str, *, permanent: bool) -> None:
        super().__init__(text)
        self.permanent = permanent


class Store:
    """One open database. Each thread gets its own connection; one store is open per process."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.url = url
        self.postgres = isinstance(database, PostgresqlDatabase)
        database.bind(MODELS)

    @property
    def identity(self) -> str:
        """The database's own id: a session is shipped into one database only."""
        return str(Fact.get_by_id("database_id").value)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction; IMMEDIATE on SQLite, where a deferred one fails when another writer is in.

        A connection that broke is closed: the next use opens a fresh one. Whether a commit that was cut off
        took place is not known; what runs in here must bear being done again.
        """
        try:
            with self._begun(() if self.postgres else ("IMMEDIATE",)):
                yield
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
    """Opens the database at `sqlite:///file` or `postgresql://...` and brings its tables up to date.

    Without `migrate` they must be there (`made`), or whatever is there is left as it is.

    Raises StoreError with one line that names the database and the remedy.
    """
    store = Store(_database(url), url)
    try:
        store.connect()
        if migrate:
            upgrade(store)
        elif made and not Fact.table_exists():
            raise StoreError(f"{url}: no Tocsin database there yet; start `tocsin daemon`", permanent=True)
    except (PeeweeException, MigrationError, OSError) as error:
        raise StoreError(f"database.url = {_shown(url)}: {error}", permanent=True) from error
    return store


def upgrade(store: Store) -> list[str]:
    """Runs the migrations that are still due; returns their names."""
    if not store.postgres:
        with _file_lock(sqlite_path(store.url).with_suffix(".migration")):
            return _migrate(store)
    return _migrate(store)


def _migrate(store: Store) -> list[str]:
    runner = Runner(store.database, directory=str(MIGRATIONS))
    done: list[str] = runner.up()
    with store.transaction():
        Fact.insert(key="database_id", value=uuid.uuid4().hex).on_conflict_ignore().execute()
    return done


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
            f"another tocsin daemon (pid {holder}) already runs on {_shown(url)}; stop it first",
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
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        "options": _POSTGRES_OPTIONS,
    }
    for pair in filter(None, parts.query.split("&")):
        key, _, value = pair.partition("=")
        options[key] = unquote(value)
    name = unquote(parts.path.lstrip("/"))
    return PostgresqlDatabase(name, **{key: value for key, value in options.items() if value is not None})


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///file` URL."""
    return Path(unquote(url.removeprefix("sqlite:///"))).expanduser().absolute()


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url


__all__ = ["DatabaseError", "Store", "StoreError", "claim", "hold", "open_store", "sqlite_path", "upgrade"]
