"""Recording corrections: checked against the developer's files, all or nothing; tickets move on with them.

Reads the corrected files to see that the new code stands there. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.lifecycle import Fact, Kind
from tocsin.daemon.store import tickets as rows
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Correction, ErrorLog
from tocsin.daemon.tickets import Tickets

FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of a corrected file, at most."""


class CorrectionError(Exception):
    """A correction is refused; the text says which one and why. Nothing was recorded."""


class NewCorrection(Struct, frozen=True, forbid_unknown_fields=True):
    """One change, as the developer or the agent reports it. `file_path` is relative to the project."""

    error_id: int
    file_path: str
    old_code: str
    new_code: str
    description: str = ""
    applied_by: str = "admin"


def record(
    store: Store,
    config: Config,
    changes: Sequence[NewCorrection],
    *,
    project: Path,
    now: float,
    applied_at: float | None = None,
) -> list[int]:
    """Records all the changes, or none; returns their ids. Their errors' watches begin at `applied_at`.

    Raises CorrectionError when an error is unknown, a file is not in the project, the new code is not in its
    file, nothing changed, or `applied_at` (default: now) is in the future.
    """
    if not changes:
        raise CorrectionError("there is nothing to record")
    if applied_at is not None and applied_at > now:
        raise CorrectionError("--applied-at is in the future; write when the new code began to run")
    for index, change in enumerate(changes, 1):
        try:
            _check(change, project)
        except CorrectionError as reason:
            raise CorrectionError(
                f"correction {index}: {reason}" if len(changes) > 1 else str(reason)
            ) from None
    with store.transaction():
        known = {row.id: row for row in ErrorLog.select().where(
            ErrorLog.id.in_(sorted({change.error_id for change in changes})))}  # fmt: skip
        for change in changes:
            if change.error_id not in known:
                raise CorrectionError(f"there is no error {change.error_id}; `tocsin errors` lists them")
        ids = [_insert(change, now, applied_at or now) for change in changes]
        for error in known.values():
            _move_on(config, error, [c for c in changes if c.error_id == error.id], now, applied_at or now)
    return ids


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
        raise CorrectionError(f"{file_path} is outside the project {root}; name a file inside (--project)")
    return path


def read_text(project: Path, file_path: str) -> str:
    """A file of the project with its line ends as \\n. Raises CorrectionError when it is no such text."""
    path = inside(project, file_path)
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        if path.stat().st_size > FILE_LIMIT:
            raise CorrectionError(f"{file_path} is larger than {FILE_LIMIT // 1024 // 1024} MB")
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CorrectionError(
            f"{file_path} cannot be read: {reason} (looked in {project.resolve()})"
        ) from None


def _check(change: NewCorrection, project: Path) -> None:
    if change.old_code == change.new_code:
        raise CorrectionError("old and new code are the same: nothing was corrected")
    if not change.new_code.strip():
        raise CorrectionError("the new code is empty; give the lines that stand there now, with those around")
    if not change.applied_by.strip():
        raise CorrectionError("say who applied it (--by)")
    text = read_text(project, change.file_path)
    if change.new_code.replace("\r\n", "\n") not in text:
        raise CorrectionError(
            f"the new code is not in {change.file_path}; apply the change first, then record it"
        )


def _insert(change: NewCorrection, now: float, applied_at: float) -> int:
    row = Correction.create(
        error=change.error_id,
        file_path=change.file_path,
        old_code=change.old_code,
        new_code=change.new_code,
        description=change.description,
        applied_by=change.applied_by,
        applied_at=applied_at,
        recorded_at=now,
    )
    return int(row.id)


def _move_on(
    config: Config, error: ErrorLog, changes: Sequence[NewCorrection], now: float, applied_at: float
) -> None:
    tickets = rows.of_errors([error.id]).get(error.id, [])
    files = ", ".join(sorted({change.file_path for change in changes}))
    text = "; ".join(filter(None, [files, *(change.description for change in changes)]))
    Tickets(config).take(
        error, tickets, Fact(Kind.CORRECTED, applied_at), now, by=changes[0].applied_by, description=text
    )
