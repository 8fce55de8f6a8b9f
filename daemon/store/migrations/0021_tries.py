"""What coding agents tried, and how each try ended."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    number = "INTEGER NOT NULL PRIMARY KEY" if sqlite else "SERIAL PRIMARY KEY"
    moment, json = ("TIMESTAMP", "JSON") if sqlite else ("TIMESTAMPTZ", "JSONB")
    db.execute_sql(
        f"CREATE TABLE agent_tries (id {number}, error_id INTEGER NOT NULL REFERENCES error_logs (id), "
        "agent TEXT NOT NULL, runner TEXT NOT NULL, started_by TEXT NOT NULL, state VARCHAR(255) NOT NULL, "
        f"step VARCHAR(255) NOT NULL, begun_at {moment} NOT NULL, lease_until {moment} NOT NULL, ended_at {moment}, "
        f"reasons {json} NOT NULL, output TEXT NOT NULL, branch TEXT NOT NULL, revision TEXT NOT NULL)"
    )
    db.execute_sql("CREATE INDEX agent_tries_error_id ON agent_tries (error_id)")
    db.execute_sql("CREATE INDEX agent_tries_begun_at ON agent_tries (begun_at)")
