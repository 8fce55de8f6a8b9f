"""Sessions that are over, folded into the hours in which their kind of process was seen alive."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    moment, pieces = ("TIMESTAMP", "JSON") if sqlite else ("TIMESTAMPTZ", "JSONB")
    db.execute_sql(
        "CREATE TABLE alive_hours (service VARCHAR(255) NOT NULL, environment VARCHAR(255) NOT NULL, "
        "program VARCHAR(255) NOT NULL, role VARCHAR(255) NOT NULL, arguments VARCHAR(255) NOT NULL, "
        f"release VARCHAR(255) NOT NULL, hour INTEGER NOT NULL, pieces {pieces} NOT NULL, ended INTEGER NOT NULL, "
        f"began_at {moment}, PRIMARY KEY (service, environment, program, role, arguments, release, hour))"
    )
    db.execute_sql("CREATE INDEX alive_hours_hour ON alive_hours (hour)")
    db.execute_sql(f"ALTER TABLE sessions ADD COLUMN folded_at {moment}")
    db.execute_sql(
        "CREATE INDEX sessions_unfolded ON sessions (service, environment, last_heard) WHERE folded_at IS NULL"
    )
    db.execute_sql("CREATE INDEX sessions_foldable ON sessions (last_heard) WHERE folded_at IS NULL")
