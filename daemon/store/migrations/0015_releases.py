"""Which releases of a service are out since when, and the release that a correction is in."""

from __future__ import annotations

from peewee import Database, SqliteDatabase
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    moment = "TIMESTAMP" if isinstance(db, SqliteDatabase) else "TIMESTAMPTZ"

    def run(sql: str) -> None:
        db.execute_sql(sql.replace("TIMESTAMP", moment))

    run(
        "CREATE TABLE deployments (service VARCHAR(255) NOT NULL, environment VARCHAR(255) NOT NULL, "
        "release VARCHAR(255) NOT NULL, at TIMESTAMP NOT NULL, created_by VARCHAR(255) NOT NULL, "
        "PRIMARY KEY (service, environment, release))"
    )
    # The first session of a release was its deployment.
    run(
        "INSERT INTO deployments (service, environment, release, at, created_by) "
        "SELECT service, environment, release, MIN(started_at), 'system' FROM sessions "
        "WHERE release IS NOT NULL AND release <> '' GROUP BY service, environment, release"
    )
    for table in ("error_corrections", "withdrawn_corrections"):
        run(f"ALTER TABLE {table} ADD COLUMN fixed_in VARCHAR(255)")
    run("ALTER TABLE watches ADD COLUMN ready_at TIMESTAMP")
