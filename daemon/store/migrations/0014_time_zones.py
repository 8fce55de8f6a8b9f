"""Moments on Postgres say their time zone: a session in another zone reads them as what they are.

What is there was written in UTC. While the session's zone is UTC Postgres changes the type without rewriting tables.
"""

from __future__ import annotations

from itertools import groupby

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator

from tocsin.daemon.store.tables import MODELS

WITHOUT_ZONE = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
    "AND data_type = 'timestamp without time zone' ORDER BY table_name, ordinal_position"
)


def up(migrator: SchemaMigrator, db: Database) -> None:
    if isinstance(db, SqliteDatabase):
        return
    ours = {model._meta.table_name for model in MODELS}
    found = [(table, column) for table, column in db.execute_sql(WITHOUT_ZONE) if table in ours]
    db.execute_sql("SET LOCAL TimeZone = 'UTC'")
    for table, columns in groupby(found, key=lambda one: one[0]):
        changes = ", ".join(f'ALTER COLUMN "{column}" TYPE TIMESTAMPTZ' for _, column in columns)
        db.execute_sql(f'ALTER TABLE "{table}" {changes}')
