"""The outbox holds the messages of channels beside the mails."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql("ALTER TABLE outbox ADD COLUMN channel VARCHAR(255)")
