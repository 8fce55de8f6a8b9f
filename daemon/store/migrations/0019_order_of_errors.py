"""The order in which errors are listed, as an index: a page of many errors costs what its own rows cost."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql(
        "CREATE INDEX error_logs_order ON error_logs (merged_into, resolved, last_seen DESC, id DESC)"
    )
