"""What the admins were reminded of."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql(
        "CREATE TABLE reminders (kind VARCHAR(255) NOT NULL, subject VARCHAR(255) NOT NULL, "
        "said_at TIMESTAMP NOT NULL, value DOUBLE PRECISION, PRIMARY KEY (kind, subject))"
    )
