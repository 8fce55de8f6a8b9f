"""What every table is made of: its base class, and moments as the database keeps them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from peewee import SQL, DateTimeField, Model


class MomentField(DateTimeField):
    """A moment: epoch seconds in Python, TIMESTAMPTZ on Postgres and UTC text in SQLite (EXTRACT works on it).

    What goes to Postgres bears no zone: our connections' own is UTC.
    """

    field_type = "TIMESTAMPTZ"

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(self, instance: Any, value: float | None) -> None: ...

    def db_value(self, value: Any) -> Any:
        if isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
        return super().db_value(value)

    def python_value(self, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)  # ten times faster than Peewee's list of formats
            except ValueError:
                value = super().python_value(value)
        if not isinstance(value, datetime):
            return value
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def moment(at: float | None) -> datetime | None:
    """A moment as the database takes it, for statements that go past the models."""
    return None if at is None else datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def among(field: Any, ids: Collection[int]) -> Any:
    """`field IN (ids)` for ids of our own rows, in the text: no limit on parameters, no tree to build."""
    return field.in_(SQL(f"({','.join(str(int(one)) for one in sorted(ids)) or 'NULL'})"))


class Table(Model):
    """Bound to a database when a store opens it."""

    class Meta:
        legacy_table_names = False
