"""The hand-off to a coding agent: one report over errors, and the same as a bundle to work on elsewhere.

Reads; decides and runs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from tocsin.daemon import queries
from tocsin.daemon.corrections.handoff.markdown import markdown
from tocsin.daemon.corrections.recording import NewCorrection, check, read_batch, write_batch
from tocsin.daemon.corrections.validation.case import Case, Change, case_of, checked
from tocsin.daemon.corrections.validation.outcome import Outcome, results
from tocsin.daemon.failure import Failed
from tocsin.daemon.queries.details import ErrorDetail, details
from tocsin.daemon.store.database import Store

SAMPLES = 3
"""Newest full events a report and a bundle look at, per error."""
BUNDLE_VERSION = 1
BUNDLE_LIMIT = 256 * 1024 * 1024
"""Bytes of a bundle that is read."""

_EXPLAINED = """\
# {count} to correct

Each section is one error of a running application, as Tocsin recorded it. For each one: find the cause,
correct it in the project's files, then record the correction with the command at the section's end and
validate it. Many at once go into one file, all or nothing: `{command} correct --batch FILE.json`, an
array of objects with `error_id`, `file_path`, `old_code`, `new_code`, `description`, `applied_by`.
"""
_AWAY = """
Away from the server, with a bundle: `tocsin correct ... --bundle FILE` and `tocsin validate --bundle FILE`
need no database and keep their results in a batch file beside it; `tocsin correct --batch` takes it on the
server.
"""


class HandoffError(Failed):
    """There is nothing to hand off, or the bundle cannot be used; the text says why."""


class Entry(Struct, frozen=True):
    """One error of a bundle: its documented shape, its full samples, and what its validation needs."""

    error: dict[str, Any]
    samples: list[dict[str, Any]]
    case: Case


class Bundle(Struct, frozen=True):
    """What a developer away from the server works on."""

    version: int
    made_at: str
    report: str
    """The Markdown report over all of it."""
    errors: list[Entry]


def chosen(store: Store, error_ids: Sequence[int] = ()) -> list[ErrorDetail]:
    """The errors asked for, in that order; else all open ones, those with open tickets and many occurrences
    first. Raises HandoffError when one is unknown.
    """
    if error_ids:
        found = details(store, list(dict.fromkeys(error_ids)), samples=SAMPLES)
        for error_id in error_ids:
            if error_id not in found:
                raise HandoffError(
                    "there is no error %(error_id)s; `tocsin errors` lists them", error_id=error_id
                )
        return [found[error_id] for error_id in dict.fromkeys(error_ids)]
    known = queries.errors(store, open_only=True)
    known.sort(key=urgency)
    ids = [one.id for one in known]
    found = details(store, ids, samples=SAMPLES)
    return [found[error_id] for error_id in ids if error_id in found]


def urgency(error: queries.ErrorFacts) -> tuple[int, int, int]:
    """What is handed off first: with open tickets, with many occurrences."""
    return -min(error.open_tickets, 1), -error.occurrences, error.id


def report(errors: Sequence[ErrorDetail], *, away: bool = False, command: str = "tocsin") -> str:
    """The Markdown report over these errors. `away`: for the reader of a bundle. `command`: how to call `tocsin`."""
    if not errors:
        return "No open errors: nothing to correct.\n"
    count = f"{len(errors)} error{'s' if len(errors) > 1 else ''}"
    head = _EXPLAINED.format(count=count, command=command) + (_AWAY if away else "")
    return "\n".join([head, *(markdown(one, command) for one in errors)])


def bundle(errors: Sequence[ErrorDetail], made_at: str) -> Bundle:
    """These errors as a bundle. `made_at`: ISO 8601, UTC."""
    entries = [
        Entry(
            error={
                name: queries.to_builtins(getattr(one, name)) for name in queries.ErrorFacts.__struct_fields__
            },
            samples=[queries.to_builtins(sample) for sample in one.samples],
            case=case_of(one),
        )
        for one in errors
    ]
    return Bundle(BUNDLE_VERSION, made_at, report(errors, away=True), entries)


def write_bundle(path: Path, made: Bundle) -> None:
    """Writes the bundle, readable by its owner only. Raises HandoffError."""
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
        part.replace(path)
    except OSError as error:
        raise HandoffError(
            "%(path)s cannot be written: %(strerror)s", path=path, strerror=error.strerror
        ) from None


def read_bundle(path: Path) -> Bundle:
    """A bundle as it was written, its calls checked. Raises HandoffError."""
    try:
        if path.stat().st_size > BUNDLE_LIMIT:
            raise HandoffError(
                "%(path)s is larger than a bundle may be (%(megabytes)s MB)",
                path=path,
                megabytes=BUNDLE_LIMIT // 1024**2,
            )
        found = msgspec.json.decode(path.read_bytes(), type=Bundle)
    except OSError as error:
        raise HandoffError(
            "%(path)s cannot be read: %(strerror)s", path=path, strerror=error.strerror
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HandoffError(
            "%(path)s is no bundle of `tocsin autofix --bundle`: %(reason)s", path=path, reason=error
        ) from None
    if found.version != BUNDLE_VERSION:
        raise HandoffError(
            "%(path)s is a bundle of version %(version)s; this is %(known)s",
            path=path,
            version=found.version,
            known=BUNDLE_VERSION,
        )
    entries = [structs.replace(entry, case=checked(entry.case)) for entry in found.errors]
    return structs.replace(found, errors=entries)


def batch_of(bundle_path: Path) -> Path:
    """The batch file beside a bundle, in which the work away from the server is kept."""
    return bundle_path.with_suffix(".batch.json")


def keep(bundle_path: Path, changes: Sequence[NewCorrection], project: Path) -> Path:
    """Adds changes to the bundle's batch file; its path. Raises HandoffError or CorrectionError."""
    known = {entry.case.error_id for entry in read_bundle(bundle_path).errors}
    for change in changes:
        if change.error_id not in known:
            raise HandoffError(
                "there is no error %(error_id)s in %(bundle_path)s",
                error_id=change.error_id,
                bundle_path=bundle_path,
            )
    path = batch_of(bundle_path)
    kept = read_batch(path) if path.exists() else []
    write_batch(path, [*kept, *(check(change, project) for change in changes)])
    return path


def cases(bundle_path: Path, kept: Sequence[NewCorrection], error_ids: Sequence[int]) -> list[Case]:
    """The bundle's cases to validate: those asked for, else all with a change. Raises HandoffError."""
    found = {entry.case.error_id: with_changes(entry.case, kept) for entry in read_bundle(bundle_path).errors}
    for error_id in error_ids:
        if error_id not in found:
            raise HandoffError(
                "there is no error %(error_id)s in %(bundle_path)s",
                error_id=error_id,
                bundle_path=bundle_path,
            )
    wanted = [case for case in found.values() if case.changes and not error_ids]
    wanted += [found[error_id] for error_id in dict.fromkeys(error_ids)]
    if not wanted:
        raise HandoffError(
            "%(bundle_path)s has no correction beside it: `tocsin correct ERROR_ID ... --bundle %(bundle_path)s`",
            bundle_path=bundle_path,
        )
    return wanted


def with_changes(case: Case, kept: Sequence[NewCorrection]) -> Case:
    """The case with its changes from the batch after those recorded on the server.

    What the batch holds of one error counts as recorded together: all of it must be in place.
    """
    known = {(one.file_path, one.old_code, one.new_code) for one in case.changes}
    own = [
        Change(one.file_path, one.old_code, one.new_code, one.description, one.applied_by, recorded="batch")
        for one in kept
        if one.error_id == case.error_id and (one.file_path, one.old_code, one.new_code) not in known
    ]
    return structs.replace(case, changes=[*case.changes, *own])


def with_results(case: Case, kept: Sequence[NewCorrection], outcome: Outcome) -> list[NewCorrection]:
    """The batch with the outcome in each of the error's changes; recorded ones it is about are added."""
    found = {"test_status": outcome.status, "test_results": results(outcome)}
    own = {(one.file_path, one.old_code, one.new_code) for one in kept if one.error_id == case.error_id}
    added = [
        NewCorrection(
            case.error_id, one.file_path, one.old_code, one.new_code, one.description, one.applied_by
        )
        for one in case.changes
        if one.id in outcome.change_ids and (one.file_path, one.old_code, one.new_code) not in own
    ]
    return [
        structs.replace(one, **found) if one.error_id == case.error_id else one for one in [*kept, *added]
    ]
