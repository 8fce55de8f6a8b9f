"""Which mails wait for others of their kind; before, that was guessed from their moments."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql("ALTER TABLE outbox ADD COLUMN gathered_until TIMESTAMP")
    db.execute_sql(
        "UPDATE outbox SET gathered_until = due_at WHERE kind = 'detection' AND audience = 'client' "
        "AND state = 'waiting' AND channel IS NULL AND attempts = 0 AND due_at > created_at"
    )
