"""A watch keeps what the last hourly check found: the earliest closing, the chance, the runs."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    kind = "JSON" if isinstance(db, SqliteDatabase) else "JSONB"
    db.execute_sql(f"ALTER TABLE watches ADD COLUMN found {kind} NOT NULL DEFAULT '{{}}'")
