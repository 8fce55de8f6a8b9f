"""Recording corrections: checked against the developer's files, all or nothing; tickets move on with them.

Reads the corrected files to see that the new code stands there. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from tocsin.daemon.config import Config
from tocsin.daemon.failure import Failed, Meanwhile, NotThere
from tocsin.daemon.reason import Reason
from tocsin.daemon.store import corrections, deployments
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog
from tocsin.daemon.tickets.lifecycle import EventType, TicketEvent
from tocsin.daemon.tickets.releases import fixed_in
from tocsin.daemon.tickets.steps import Tickets
from tocsin.handler.capture.values import clean

FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of a corrected file, at most."""


class CorrectionError(Failed):
    """A correction is refused; the text says which one and why. Nothing was recorded."""


class UnknownError(CorrectionError, NotThere):
    """There is no such error."""


class Changed(CorrectionError, Meanwhile):
    """Somebody else recorded or withdrew a correction meanwhile."""


class NewCorrection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One change, as the developer or the agent reports it. `file_path` is relative to the project.

    One that was validated away from the server brings `test_status` and `test_results` with it.
    """

    error_id: int
    file_path: str
    old_code: str
    new_code: str
    description: str = ""
    applied_by: str = "admin"
    test_status: Literal["pending", "passed", "failed"] = "pending"
    test_results: dict[str, Any] | None = None
    fixed_in: str | None = None
    """The release that has it; None: the next one of the service."""


class Recorded(Struct, frozen=True):
    """A change as it is kept; `fresh`: it was not recorded before."""

    id: int
    error_id: int
    fresh: bool
    watched: bool = True
    """A ticket of its error is open: its watch has begun again."""
    waits_for: str | None = None
    """The release that its watch waits for, '' for the next one; None: it waits for none."""


def record(
    store: Store,
    config: Config,
    changes: Sequence[NewCorrection],
    *,
    project: Path | None,
    now: float,
    applied_at: float | None = None,
) -> list[Recorded]:
    """Records all the changes, or none. The watches of their errors begin at `applied_at`.

    A change that is recorded already, and was not replaced since, gets its results and no second row. Without a
    `project` no file is looked at. Raises CorrectionError when an error is unknown, a file is not in the project,
    the new code is not in its file, nothing changed, results contradict their status, or `applied_at`
    (default: now) is in the future.
    """
    if not changes:
        raise CorrectionError("there is nothing to record")
    if applied_at is not None and applied_at > now:
        raise CorrectionError("--applied-at is in the future; write when the new code began to run")
    checked = []
    for index, change in enumerate(changes, 1):
        try:
            checked.append(check(change, project))
        except CorrectionError as reason:
            if len(changes) == 1:
                raise
            raise CorrectionError("correction %(index)s: %(reason)s", index=index, reason=reason) from None
    with store.transaction():
        known = _locked(store, {change.error_id for change in checked})
        written = []
        for change in checked:
            row = _known(change, checked)
            if row is not None and change.fixed_in and row.fixed_in != change.fixed_in:
                corrections.set_release(row, change.fixed_in)
            written.append((row or _insert(change, now, applied_at or now), change, row is None))
        for error in known.values():
            own = [one for one in written if one[1].error_id == error.id]
            new = [change for _, change, fresh in own if fresh]
            if new:
                corrections.end_claim(error.id)
                _move_on(config, error, new, applied_at or now, now)
            _bring_results(config, error, [(row, change) for row, change, _ in own], now)
        watched = rows.watches(known)
        return [
            Recorded(row.id, error.id, fresh, error.id in watched, _waits_for(row, error))
            for row, error, fresh in ((row, known[change.error_id], fresh) for row, change, fresh in written)
        ]


def _waits_for(row: Correction, error: ErrorLog) -> str | None:
    out = deployments.of_service(error.service, error.environment)
    fix = fixed_in(row.fixed_in, row.applied_at, out)
    return fix.release if fix is not None and fix.waits else None


def judged(
    store: Store,
    config: Config,
    error_id: int,
    correction_ids: Collection[int],
    status: str,
    results: dict[str, Any],
    *,
    now: float,
    by: str,
) -> None:
    """Keeps what a validation found, and takes the error's tickets on: passed, failed, or pending.

    Pending proves nothing: it replaces no earlier verdict and moves no ticket. A correction that others followed
    keeps the verdict that it has. Raises CorrectionError when another correction was recorded meanwhile: the result
    is not about it.
    """
    with store.transaction():
        error = _locked(store, {error_id})[error_id]
        own = rows.corrections(error_id)
        judged = [row for row in own if row.id in correction_ids]
        if not judged or own[-1].id not in correction_ids:
            raise Changed(
                "the corrections of error %(error_id)s changed meanwhile; validate again", error_id=error_id
            )
        _judge(config, error, judged, status, results, now, now, by)


def _locked(store: Store, error_ids: Collection[int]) -> dict[int, ErrorLog]:
    """The errors by id, locked in id order where the database has row locks. Raises CorrectionError."""
    query = ErrorLog.select().where(ErrorLog.id.in_(sorted(error_ids))).order_by(ErrorLog.id)
    found = {row.id: row for row in (query.for_update() if store.postgres else query)}
    for error_id in error_ids:
        if error_id not in found:
            raise UnknownError(
                "there is no error %(error_id)s; `tocsin errors` lists them", error_id=error_id
            )
        if (into := found[error_id].merged_into_id) is not None:
            raise UnknownError(
                "error %(error_id)s was merged into error %(into)s; name that one",
                error_id=error_id,
                into=into,
            )
    return found


def _known(change: NewCorrection, together: Sequence[NewCorrection]) -> Correction | None:
    """The same change, where it is recorded and still stands: nothing later replaced it.

    What is recorded `together` with it does not, nor what changed other lines of the file.
    """
    own = [row for row in rows.corrections(change.error_id) if row.file_path == change.file_path]
    batch = {_content(one) for one in together}
    for row in reversed(own):
        if _content(row) == _content(change):
            return row
        if _content(row) not in batch and _overlap(row, change):
            return None
    return None


def _content(change: Correction | NewCorrection) -> tuple[str, str, str]:
    return change.file_path, change.old_code, change.new_code


def _overlap(one: Correction | NewCorrection, other: Correction | NewCorrection) -> bool:
    """Whether two changes of a file may be about the same lines."""
    mine, theirs = [one.old_code, one.new_code], [other.old_code, other.new_code]
    if any(a.strip() in b or b.strip() in a for a in mine for b in theirs if a.strip() and b.strip()):
        return True
    lines = [
        {line.strip() for text in texts for line in text.splitlines()} - {""} for texts in (mine, theirs)
    ]
    return bool(lines[0] & lines[1])


def _bring_results(
    config: Config, error: ErrorLog, own: Sequence[tuple[Correction, NewCorrection]], now: float
) -> None:
    """What was found away from the server: failed when one of the error's changes failed."""
    tested = [(row, change) for row, change in own if change.test_results is not None]
    if not tested:
        return
    statuses = {change.test_status for _, change in tested}
    status = "failed" if "failed" in statuses else "pending" if "pending" in statuses else "passed"
    newest = next(change for _, change in reversed(tested) if change.test_status == status)
    results = dict(newest.test_results or {})
    at = min(now, max([_moment(results.get("validated_at"), now), *(row.applied_at for row, _ in tested)]))
    _judge(config, error, [row for row, _ in tested], status, results, at, now, newest.applied_by)


def _moment(text: object, default: float) -> float:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return default
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _judge(
    config: Config,
    error: ErrorLog,
    changes: Sequence[Correction],
    status: str,
    results: dict[str, Any],
    at: float,
    now: float,
    by: str,
) -> None:
    newest = max(change.recorded_at for change in rows.corrections(error.id))
    for change in changes:
        # Pending says nothing new, and what an earlier correction was found to be stays its own verdict.
        if change.test_status != "pending" and (status == "pending" or change.recorded_at < newest):
            continue
        corrections.set_test(change, status, results)
    if status == "pending":
        return
    kind = EventType.VALIDATED if status == "passed" else EventType.VALIDATION_FAILED
    details = {
        "applied_by": changes[-1].applied_by,
        "description": "; ".join(filter(None, (change.description for change in changes))),
        "file_path": ", ".join(sorted({change.file_path for change in changes})),
        "test_status": status,
    }
    tickets = rows.of_errors([error.id]).get(error.id, [])
    happened = {"summary": str(results.get("summary", ""))[:500]}
    Tickets(config).apply(
        error, tickets, TicketEvent(kind, at), now, by=by, happened=happened, details=details
    )


def inside(project: Path, file_path: str) -> Path:
    """The file's path, resolved. Raises CorrectionError when it leads out of the project."""
    if "\0" in file_path:
        raise CorrectionError("the file path holds a NUL character")
    root = project.resolve()
    try:
        path = (root / file_path).resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name too long or with half characters
        raise CorrectionError("the file path cannot be followed") from None
    if not path.is_relative_to(root):
        raise CorrectionError(
            "%(file_path)s is outside the project %(root)s; name a file inside (--project)",
            file_path=file_path,
            root=root,
        )
    return path


def read_text(project: Path, file_path: str) -> str:
    """A file of the project with its line ends as \\n. Raises CorrectionError when it is no such text."""
    path = inside(project, file_path)
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        if path.stat().st_size > FILE_LIMIT:
            raise CorrectionError(
                "%(file_path)s is larger than %(megabytes)s MB",
                file_path=file_path,
                megabytes=FILE_LIMIT // 1024 // 1024,
            )
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else Reason("it is not UTF-8 text")
        raise CorrectionError(
            "%(file_path)s cannot be read: %(reason)s (looked in %(root)s)",
            file_path=file_path,
            reason=reason,
            root=project.resolve(),
        ) from None


def check(change: NewCorrection, project: Path | None) -> NewCorrection:
    """The change as it is recorded: its path relative to the project. Raises CorrectionError.

    Without a project the path is taken as it is, where it leads nowhere else.
    """
    if change.old_code == change.new_code:
        raise CorrectionError("old and new code are the same: nothing was corrected")
    if not (change.new_code.strip() or change.old_code.strip()):
        raise CorrectionError("old and new code are empty; give the lines that changed")
    if not change.applied_by.strip():
        raise CorrectionError("say who applied it (--by)")
    for name, code in ((Reason("old code"), change.old_code), (Reason("new code"), change.new_code)):
        if clean(code) != code:
            raise CorrectionError("the %(name)s is no text: it holds a NUL or half a character", name=name)
    if change.test_status != str((change.test_results or {"status": "pending"}).get("status")):
        raise CorrectionError(
            "test_status %(test_status)r is not what its test_results say", test_status=change.test_status
        )
    if project is not None:
        _check_in_place(change, project)
    return structs.replace(
        change,
        file_path=clean(_relative(change.file_path, project)),
        description=clean(change.description),
        applied_by=clean(change.applied_by),
        test_results=_cleaned(change.test_results),
        fixed_in=clean(change.fixed_in or "").strip()[: deployments.RELEASE] or None,
    )


def _check_in_place(change: NewCorrection, project: Path) -> None:
    """Raises CorrectionError unless the file holds the new code; for a deletion, unless the old is gone."""
    old, new = (code.replace("\r\n", "\n") for code in (change.old_code, change.new_code))
    if new.strip():
        if new not in read_text(project, change.file_path):
            raise CorrectionError(
                "the new code is not in %(file_path)s; apply the change first, then record it",
                file_path=change.file_path,
            )
    elif inside(project, change.file_path).exists() and old in read_text(project, change.file_path):
        raise CorrectionError(
            "the old code is still in %(file_path)s; delete it first, or give the lines around it too",
            file_path=change.file_path,
        )


def _relative(file_path: str, project: Path | None) -> str:
    """The path below the project. Raises CorrectionError when it leads out of it."""
    if project is not None:
        return str(inside(project, file_path).relative_to(project.resolve()))
    path = PurePosixPath(file_path)
    if path.is_absolute() or ".." in path.parts or "\0" in file_path or not path.parts:
        raise CorrectionError(
            "file_path %(file_path)r is no path below the project; write it relative to it",
            file_path=file_path,
        )
    return str(path)


def _cleaned(value: Any) -> Any:
    """Data from outside as every database takes it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): _cleaned(item) for name, item in value.items()}
    return value


def read_batch(path: Path) -> list[NewCorrection]:
    """The changes in a batch file. Raises CorrectionError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[NewCorrection])
    except (msgspec.DecodeError, OSError, UnicodeDecodeError, RecursionError) as error:
        raise CorrectionError("%(path)s: %(reason)s", path=path, reason=error) from None


def write_batch(path: Path, changes: Sequence[NewCorrection]) -> None:
    """Writes a batch file, or leaves the old one as it was. Raises CorrectionError."""
    data = msgspec.json.format(msgspec.json.encode(list(changes)), indent=2)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data + b"\n")
        part.replace(path)
    except OSError as error:
        raise CorrectionError(
            "%(path)s cannot be written: %(strerror)s", path=path, strerror=error.strerror
        ) from None


def _insert(change: NewCorrection, now: float, applied_at: float) -> Correction:
    return corrections.add(
        change.error_id,
        file_path=change.file_path,
        old_code=change.old_code,
        new_code=change.new_code,
        description=change.description,
        applied_by=change.applied_by,
        applied_at=applied_at,
        fixed_in=change.fixed_in,
        recorded_at=now,
    )


def _move_on(
    config: Config, error: ErrorLog, changes: Sequence[NewCorrection], applied_at: float, now: float
) -> None:
    tickets = rows.of_errors([error.id]).get(error.id, [])
    happened = {
        "files": sorted({change.file_path for change in changes}),
        "texts": [change.description for change in changes if change.description],
        "release": next((change.fixed_in for change in changes if change.fixed_in), ""),
    }
    Tickets(config).apply(
        error,
        tickets,
        TicketEvent(EventType.CORRECTED, applied_at),
        now,
        by=changes[0].applied_by,
        happened=happened,
    )
