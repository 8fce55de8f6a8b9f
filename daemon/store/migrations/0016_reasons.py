"""Why a mail was not sent, as the parts that read in any language."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    kind = "JSON" if isinstance(db, SqliteDatabase) else "JSONB"
    db.execute_sql(f"ALTER TABLE outbox ADD COLUMN error_parts {kind}")
