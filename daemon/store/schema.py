"""Which tables a database has and which this version wants: migrations by name, columns by the models."""

from __future__ import annotations

from pathlib import Path

from peewee import Database, SqliteDatabase

from tocsin.daemon.reason import NONE, Reason
from tocsin.daemon.store.tables import MODELS

MIGRATIONS = Path(__file__).parent / "migrations"
HISTORY = "schema_migration"
"""Table in which the migrations that were run are written down."""

_COLUMNS_SQLITE = (
    "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'"
)
_COLUMNS_POSTGRES = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
)


def known() -> list[str]:
    """Names of the migrations this version has, in their order."""
    return sorted(file.stem for file in MIGRATIONS.glob("[0-9]*.py"))


def applied(database: Database) -> list[str]:
    """Names of the migrations that were run, in their order; empty for an empty database."""
    if not database.table_exists(HISTORY):
        return []
    return sorted(str(name) for (name,) in database.execute_sql(f"SELECT name FROM {HISTORY}"))  # noqa: S608


def due(database: Database) -> list[str]:
    """Names of the migrations that are still to be run, in their order."""
    done = set(applied(database))
    return [name for name in known() if name not in done]


def number(name: str) -> str:
    """A migration's number, `0001`."""
    return name.partition("_")[0]


def newer(database: Database) -> Reason:
    """Why a newer version is needed, '' when it is not."""
    unknown = sorted(set(applied(database)) - set(known()))
    if not unknown:
        return NONE
    return Reason(
        "it was last used by a newer tocsin, it has %(migrations)s; install that version again",
        migrations=", ".join(unknown),
    )


def lacking(database: Database) -> Reason:
    """What the tables lack with every migration run, '' when nothing: a version never released made them."""
    sql = _COLUMNS_SQLITE if isinstance(database, SqliteDatabase) else _COLUMNS_POSTGRES
    found = {(table, column) for table, column in database.execute_sql(sql)}
    for model in MODELS:
        meta = model._meta
        for field in meta.sorted_fields:
            if (meta.table_name, field.column_name) not in found:
                return Reason(
                    "its table %(table)s has no column %(column)s: no release has made it; "
                    "move it away and start again, or install the version that made it",
                    table=meta.table_name,
                    column=field.column_name,
                )
    return NONE
