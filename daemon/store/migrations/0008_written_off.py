"""Processes that somebody wrote off."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql("ALTER TABLE sessions ADD COLUMN gone_at TIMESTAMP")
