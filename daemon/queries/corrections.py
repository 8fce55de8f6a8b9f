"""Corrections: read-only queries into small frozen values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from tocsin.daemon.queries.moment import Moment, moment
from tocsin.daemon.queries.rows import dicts, tuples
from tocsin.daemon.queries.selection import EVERYTHING, Selection, of_errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog


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


def corrections(
    store: Store,
    error_id: int | None = None,
    *,
    error_ids: Iterable[int] | None = None,
    correction_ids: Iterable[int] | None = None,
    selection: Selection = EVERYTHING,
) -> list[CorrectionFacts]:
    """Corrections, newest first; of one error, of some, some of them, or all."""
    query = _chosen(error_id, selection).order_by(Correction.applied_at.desc(), Correction.id.desc())
    query = query.limit(selection.limit)
    if error_ids is not None:
        query = query.where(Correction.error.in_(list(error_ids)))
    if correction_ids is not None:
        query = query.where(Correction.id.in_(list(correction_ids)))
    with store.reading():
        return [_facts(row) for row in dicts(query)]


def correction_count(store: Store, error_id: int | None, selection: Selection) -> int:
    """How many `corrections` would be there without a limit."""
    with store.reading():
        return int(_chosen(error_id, selection).count())


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


def _chosen(error_id: int | None, selection: Selection) -> Any:
    query = Correction.select(Correction, ErrorLog.title, ErrorLog.service).join(ErrorLog)
    query = of_errors(query, selection, since=Correction.applied_at)
    return query if error_id is None else query.where(Correction.error == error_id)


def _facts(row: dict[str, Any]) -> CorrectionFacts:
    values = {name: row[name] for name in CorrectionFacts.__struct_fields__ if name != "error_id"}
    values["applied_at"], values["recorded_at"] = moment(row["applied_at"]), moment(row["recorded_at"])
    return CorrectionFacts(error_id=row["error"], **values)
