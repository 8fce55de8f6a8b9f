"""What each process is, who logged an error, what could not be heard, and when something was lost."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

_SESSION = (
    "program VARCHAR(255) NOT NULL DEFAULT ''",
    "role VARCHAR(255) NOT NULL DEFAULT ''",
    "arguments TEXT NOT NULL DEFAULT ''",
    "machine VARCHAR(255) NOT NULL DEFAULT ''",
    "boot VARCHAR(255) NOT NULL DEFAULT ''",
    "born BIGINT NOT NULL DEFAULT 0",
    "caught_up_at TIMESTAMP",
    "emptied_at TIMESTAMP",
)


def up(migrator: SchemaMigrator, db: Database) -> None:
    moment = "TIMESTAMP" if isinstance(db, SqliteDatabase) else "TIMESTAMPTZ"

    def run(sql: str) -> None:
        db.execute_sql(sql.replace("TIMESTAMP", moment))

    sqlite = isinstance(db, SqliteDatabase)
    for column in _SESSION:
        run(f"ALTER TABLE sessions ADD COLUMN {column}")
    json = "JSON" if sqlite else "JSONB"
    run(f"ALTER TABLE sessions ADD COLUMN unheard {json} NOT NULL DEFAULT '{{}}'")
    run("ALTER TABLE losses ADD COLUMN last_at TIMESTAMP")
    number = "INTEGER NOT NULL PRIMARY KEY" if sqlite else "SERIAL PRIMARY KEY"
    run(
        f"CREATE TABLE unheard_intervals (id {number}, session_id VARCHAR(255) NOT NULL REFERENCES sessions (id), "
        "logger VARCHAR(255) NOT NULL, started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL)"
    )
    run("CREATE INDEX unheard_intervals_session_id ON unheard_intervals (session_id)")
    run("CREATE INDEX unheard_intervals_ended_at ON unheard_intervals (ended_at)")
    run(
        "CREATE TABLE error_sources (error_id INTEGER NOT NULL REFERENCES error_logs (id), "
        "program VARCHAR(255) NOT NULL, role VARCHAR(255) NOT NULL, arguments VARCHAR(255) NOT NULL, "
        "logger VARCHAR(255) NOT NULL, release VARCHAR(255) NOT NULL, first_at TIMESTAMP NOT NULL, "
        "last_at TIMESTAMP NOT NULL, PRIMARY KEY (error_id, program, role, arguments, logger, release))"
    )
