"""The seam to Peewee: a query's rows as plain dicts and tuples."""

from __future__ import annotations

from typing import Any


def dicts(query: Any) -> list[dict[str, Any]]:
    """Every row by column name."""
    return list(query.dicts())


def tuples(query: Any) -> list[tuple[Any, ...]]:
    """Every row as a tuple of its columns."""
    return list(query.tuples())


def scalar(query: Any) -> Any:
    """The first column of the first row, None when there is no row."""
    return query.scalar()


def first(query: Any) -> dict[str, Any] | None:
    """The first row by column name, None when there is none."""
    row: dict[str, Any] | None = query.dicts().first()
    return row


def pairs(query: Any) -> dict[Any, Any]:
    """The first column of every row to its second."""
    return dict(query.tuples())
