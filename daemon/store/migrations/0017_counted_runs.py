"""Runs are counted for each kind of process and each release apart.

What was counted before is taken for runs of the kind that logged the error last.
"""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator

_KEPT = """
INSERT INTO counted_runs (error_id, caller, program, role, release, begun, before, failed, estimated)
SELECT error_id, caller,
       COALESCE((SELECT program FROM error_sources WHERE error_sources.error_id = error_functions.error_id
                  AND program <> '' ORDER BY last_at DESC, program, role LIMIT 1), ''),
       COALESCE((SELECT role FROM error_sources WHERE error_sources.error_id = error_functions.error_id
                  AND program <> '' ORDER BY last_at DESC, program, role LIMIT 1), ''),
       '', begun, before, failed, estimated
  FROM error_functions WHERE begun > 0 OR failed > 0
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    db.execute_sql(
        "CREATE TABLE counted_runs (error_id INTEGER NOT NULL REFERENCES error_logs (id), caller BOOLEAN NOT NULL, "
        "program VARCHAR(255) NOT NULL, role VARCHAR(255) NOT NULL, release VARCHAR(255) NOT NULL, "
        "begun BIGINT NOT NULL, before BIGINT NOT NULL, failed BIGINT NOT NULL, estimated BOOLEAN NOT NULL, "
        "PRIMARY KEY (error_id, caller, program, role, release))"
    )
    db.execute_sql(_KEPT)
    for column in ("begun", "before", "failed", "estimated"):
        db.execute_sql(f"ALTER TABLE error_functions DROP COLUMN {column}")
