"""Errors that somebody handed to a coding agent: runners take them."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    moment = "TIMESTAMP" if isinstance(db, SqliteDatabase) else "TIMESTAMPTZ"
    db.execute_sql(
        "CREATE TABLE agent_requests (error_id INTEGER NOT NULL PRIMARY KEY REFERENCES error_logs (id), "
        f"asked_by TEXT NOT NULL, asked_at {moment} NOT NULL)"
    )
