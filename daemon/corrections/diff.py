"""The corrections in a unified diff: one for each hunk, with the lines around it. Reads no file, runs nothing."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchedFile, PatchSet

from tocsin.daemon.corrections.recording import FILE_LIMIT, CorrectionError, NewCorrection
from tocsin.handler.capture.values import clean

NOWHERE = "/dev/null"


class DiffChanges(Struct, frozen=True):
    """`passed_over`: what the diff also does and no correction can hold, a sentence each."""

    changes: list[NewCorrection]
    passed_over: list[str]


def read_diff(data: bytes, error_id: int, applied_by: str, description: str) -> DiffChanges:
    """What a unified diff, as git or diff writes it, changed. A renamed file has its new name.

    Raises CorrectionError when it is no such diff, or changes no text.
    """
    if len(data) > FILE_LIMIT:
        raise CorrectionError(f"the diff is larger than {FILE_LIMIT // 1024 // 1024} MB")
    # A file that is no UTF-8 is passed over below, by its surrogates.
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    try:
        files = PatchSet(text)
    except UnidiffParseError as error:
        raise CorrectionError(f"this is no unified diff: {error}") from None
    changes, passed_over = [], []
    for file in files:
        path = _path(file)
        if reason := _no_text(file):
            passed_over.append(f"{path} {reason}")
            continue
        changes += [NewCorrection(error_id, path, *code, description, applied_by) for code in _hunks(file)]
    if not changes:
        more = f": {'; '.join(passed_over)}" if passed_over else ""
        raise CorrectionError(f"the diff changes no text{more}")
    return DiffChanges(changes, passed_over)


def _no_text(file: PatchedFile) -> str:
    """Why nothing of a file can be recorded; '' where something can."""
    if file.is_binary_file:
        return "is binary"
    if not any(hunk.added or hunk.removed for hunk in file):
        return "was renamed" if file.is_rename else "has no changed lines"
    if any(clean(code) != code for pair in _hunks(file) for code in pair):
        return "is not UTF-8 text"
    return ""


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
