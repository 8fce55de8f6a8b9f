"""What clients read: a text for them about an error, and the time zone of each."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql("ALTER TABLE error_logs ADD COLUMN client_text TEXT NOT NULL DEFAULT ''")
    db.execute_sql("ALTER TABLE clients ADD COLUMN timezone VARCHAR(255)")
