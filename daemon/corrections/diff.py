"""The corrections in a unified diff: one for each hunk, with the lines around it. Reads no file, runs nothing."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchedFile, PatchSet

from tocsin.daemon.corrections.recording import FILE_LIMIT, CorrectionError, NewCorrection
from tocsin.daemon.reason import NONE, Reason
from tocsin.handler.capture.values import clean

NOWHERE = "/dev/null"


class DiffChanges(Struct, frozen=True):
    """`passed_over`: what the diff also does and no correction can hold, a sentence each."""

    changes: list[NewCorrection]
    passed_over: list[Reason]


def read_diff(data: bytes, error_id: int, applied_by: str, description: str) -> DiffChanges:
    """What a unified diff, as git or diff writes it, changed. A renamed file has its new name.

    Raises CorrectionError when it is no such diff, or changes no text.
    """
    if len(data) > FILE_LIMIT:
        raise CorrectionError(
            "the diff is larger than %(megabytes)s MB", megabytes=FILE_LIMIT // 1024 // 1024
        )
    # A file that is no UTF-8 is passed over below, by its surrogates.
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    try:
        files = PatchSet(text)
    except UnidiffParseError as error:
        raise CorrectionError("this is no unified diff: %(reason)s", reason=error) from None
    changes: list[NewCorrection] = []
    passed_over: list[Reason] = []
    for file in files:
        path = _path(file)
        if reason := _no_text(file, path):
            passed_over.append(reason)
            continue
        changes += [NewCorrection(error_id, path, *code, description, applied_by) for code in _hunks(file)]
    if not changes:
        if not passed_over:
            raise CorrectionError("the diff changes no text")
        raise CorrectionError("the diff changes no text: %(why)s", why=Reason.joined(*passed_over))
    return DiffChanges(changes, passed_over)


def _no_text(file: PatchedFile, path: str) -> Reason:
    """Why nothing of a file can be recorded; NONE where something can."""
    if file.is_binary_file:
        return Reason("%(path)s is binary", path=path)
    if not any(hunk.added or hunk.removed for hunk in file):
        if file.is_rename:
            return Reason("%(path)s was renamed", path=path)
        return Reason("%(path)s has no changed lines", path=path)
    if any(clean(code) != code for pair in _hunks(file) for code in pair):
        return Reason("%(path)s is not UTF-8 text", path=path)
    return NONE


def _hunks(file: PatchedFile) -> Iterator[tuple[str, str]]:
    """(old code, new code) of each hunk."""
    for hunk in file:
        yield _code(hunk, "-"), _code(hunk, "+")


def _code(hunk: Hunk, side: str) -> str:
    """The lines of one side and those that both share."""
    lines: list[str] = []
    kept = False
    for line in hunk:
        if line.line_type == "\\":  # the line before has no end of its own
            if kept:
                lines[-1] = lines[-1].removesuffix("\n")
            continue
        kept = line.line_type in (" ", side)
        if kept:
            lines.append(line.value)
    return "".join(lines)


def _path(file: PatchedFile) -> str:
    source, target = _unquoted(file.source_file), _unquoted(file.target_file)
    path, prefix = (source, "a/") if target == NOWHERE else (target, "b/")
    prefixed = (source == NOWHERE or source.startswith("a/")) and (
        target == NOWHERE or target.startswith("b/")
    )
    return path.removeprefix(prefix) if prefixed else path


def _unquoted(path: str) -> str:
    """A path as it is, which git writes like a string of C where it holds more than plain letters."""
    if not (path.startswith('"') and path.endswith('"')):
        return path
    escaped = path[1:-1].encode("ascii", "backslashreplace").decode("unicode_escape")
    return escaped.encode("latin-1", "replace").decode("utf-8", "replace")
