"""How often the functions run in which errors happen."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    kind = "BLOB" if isinstance(db, SqliteDatabase) else "BYTEA"
    db.execute_sql(f"ALTER TABLE sessions ADD COLUMN runs {kind}")
    db.execute_sql(
        "CREATE TABLE error_functions (error_id INTEGER NOT NULL REFERENCES error_logs (id), "
        "caller BOOLEAN NOT NULL, module TEXT NOT NULL, name TEXT NOT NULL, begun BIGINT NOT NULL, "
        "before BIGINT NOT NULL, failed BIGINT NOT NULL, estimated BOOLEAN NOT NULL, PRIMARY KEY (error_id, caller))"
    )
    db.execute_sql(
        "CREATE TABLE run_counts (error_id INTEGER NOT NULL REFERENCES error_logs (id), caller BOOLEAN NOT NULL, "
        "hour INTEGER NOT NULL, begun BIGINT NOT NULL, failed BIGINT NOT NULL, PRIMARY KEY (error_id, caller, hour))"
    )
    db.execute_sql("CREATE INDEX run_counts_hour ON run_counts (hour)")
