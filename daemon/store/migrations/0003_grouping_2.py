"""Version 2 of the grouping rule beside version 1, and errors that people split."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Tells of a signature how it came to its error, and holds what is split by what."""
    for column in ("counterpart", "split_of"):
        db.execute_sql(f"ALTER TABLE error_signatures ADD COLUMN {column} VARCHAR(255) NOT NULL DEFAULT ''")
    db.execute_sql("ALTER TABLE error_signatures ADD COLUMN provisional BOOLEAN NOT NULL DEFAULT FALSE")
    db.execute_sql(
        "CREATE TABLE error_splits (service VARCHAR(255) NOT NULL, environment VARCHAR(255) NOT NULL, "
        "signature VARCHAR(255) NOT NULL, by TEXT NOT NULL, created_by TEXT NOT NULL, "
        "created_at TIMESTAMP NOT NULL, PRIMARY KEY (service, environment, signature))"
    )
