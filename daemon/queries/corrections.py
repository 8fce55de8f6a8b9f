"""Corrections: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, tuples
from tocsin.daemon.queries.selection import EVERYTHING, Selection, following, of_errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog, WithdrawnCorrection


class CorrectionFacts(Struct, frozen=True):
    """One recorded change; its JSON is the documented shape. `test_status`: pending, passed or failed."""

    id: int
    error_id: int
    file_path: str
    old_code: str
    new_code: str
    description: str
    applied_by: str
    applied_at: Moment
    recorded_at: Moment
    test_status: str
    test_results: Any
    title: str
    """Of the error."""
    service: str
    """Of the error."""
    withdrawn_by: str | None = None
    withdrawn_at: Moment | None = None
    """When it was taken back: it counts nowhere as applied."""
    fixed_in: str | None = None
    """The release that has it, where one was named."""


def corrections(
    store: Store,
    error_id: int | None = None,
    *,
    error_ids: Iterable[int] | None = None,
    correction_ids: Iterable[int] | None = None,
    selection: Selection = EVERYTHING,
    withdrawn: bool = False,
) -> list[CorrectionFacts]:
    """Corrections, newest first; of one error, of some, some of them, or all; with the `withdrawn` where asked."""
    tables = (Correction, WithdrawnCorrection) if withdrawn else (Correction,)
    found: list[CorrectionFacts] = []
    with store.reading():
        for table in tables:
            query = _chosen(table, error_id, selection).order_by(table.applied_at.desc(), table.id.desc())
            query = following(query, selection, table.applied_at, table.id).limit(selection.limit)
            if error_ids is not None:
                query = query.where(table.error.in_(list(error_ids)))
            if correction_ids is not None:
                query = query.where(table.id.in_(list(correction_ids)))
            found += [_facts(row) for row in dicts(query)]
    found.sort(key=lambda one: (one.applied_at, one.id), reverse=True)
    return found[: selection.limit]


def correction_count(store: Store, error_id: int | None, selection: Selection) -> int:
    """How many `corrections`, with the withdrawn, would be there without a limit."""
    with store.reading():
        tables = (Correction, WithdrawnCorrection)
        return sum(int(_chosen(table, error_id, selection).count()) for table in tables)


def correction_titles(store: Store) -> list[tuple[int, str, str, str, str, int]]:
    """(number, file, service, test status, who and title, error) of every correction, newest first."""
    query = (
        Correction.select(
            Correction.id, Correction.file_path, ErrorLog.service, Correction.test_status,
            Correction.applied_by, ErrorLog.title, Correction.error,
        )
        .join(ErrorLog)
        .order_by(Correction.applied_at.desc(), Correction.id.desc())
    )  # fmt: skip
    with store.reading():
        return [
            (number, path[-120:], service, tested, f"{who[:60]} {title[:160]}", error_id)
            for number, path, service, tested, who, title, error_id in tuples(query)
        ]


def _chosen(table: Any, error_id: int | None, selection: Selection) -> Any:
    query = table.select(table, ErrorLog.title, ErrorLog.service).join(ErrorLog)
    query = of_errors(query, selection, since=table.applied_at)
    return query if error_id is None else query.where(table.error == error_id)


def _facts(row: dict[str, Any]) -> CorrectionFacts:
    names = CorrectionFacts.__struct_fields__
    values: dict[str, Any] = {name: row.get(name) for name in names if name != "error_id"}
    for name in ("applied_at", "recorded_at", "withdrawn_at"):
        values[name] = moment(row.get(name))
    return CorrectionFacts(error_id=row["error"], **values)
