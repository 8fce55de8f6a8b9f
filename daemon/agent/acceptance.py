"""Which of an agent's changes may be accepted, and when green tests are not believed. Pure.

Looks at what git says was changed, never at what the agent says.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from difflib import ndiff
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

from msgspec import Struct

from tocsin.daemon.corrections.try_reasons import Because, because

LARGEST = 1024 * 1024
"""Bytes of a changed file, at most."""
LINK, REPOSITORY = "120000", "160000"
"""Git's modes of a symbolic link and of another repository's commit."""
ALWAYS = (".git*",)
"""Protected whatever the settings say: what tells git what to do."""
_BROAD = {"Exception", "BaseException"}


class ChangedFile(Struct, frozen=True):
    """A file that differs from the revision. `path` is relative to the repository; None: it was, or is, not there.

    `mode` is git's, of what it is now. A file larger than `LARGEST` has no content here.
    """

    path: str
    mode: str
    size: int
    before: bytes | None
    after: bytes | None

    @property
    def old(self) -> list[str]:
        return (self.before or b"").decode("utf-8", "replace").splitlines()

    @property
    def new(self) -> list[str]:
        return (self.after or b"").decode("utf-8", "replace").splitlines()


class Rules(Struct, frozen=True):
    """`project`: the directory within the repository that may be changed, "" for all of it."""

    project: str
    protected: Sequence[str]
    files: int


class Place(NamedTuple):
    """A function in which the error happened: its file, relative to the repository, and its qualified name."""

    path: str
    function: str


def refusals(changed: Sequence[ChangedFile], rules: Rules) -> list[Because]:
    """Why the changes may not be accepted; none: they may be tested."""
    if not changed:
        return [because("empty")]
    if len(changed) > rules.files:
        return [because("many", count=len(changed), limit=rules.files)]
    found = [reason for file in changed if (reason := _refusal(file, rules)) is not None]
    if not found and all(is_test(_below(file.path, rules.project)) for file in changed):
        found.append(because("tests_only"))
    return found


def _refusal(file: ChangedFile, rules: Rules) -> Because | None:
    path = _below(file.path, rules.project)
    if rules.project and path == file.path:
        return because("outside", path=file.path)
    if (pattern := protection(path, (*ALWAYS, *rules.protected))) is not None:
        return because("protected", path=file.path, pattern=pattern)
    if file.mode == LINK:
        return because("link", path=file.path)
    if file.mode == REPOSITORY:
        return because("repository", path=file.path)
    if file.size > LARGEST:
        return because("large", path=file.path, limit="1 MB")
    if not (_is_text(file.before) and _is_text(file.after)):
        return because("binary", path=file.path)
    if is_test(path) and _taken_out(file):
        return because("tests_weakened", path=file.path)
    return None


def protection(path: str, patterns: Sequence[str]) -> str | None:
    """The first pattern that protects the path (relative to the project), None when none does."""
    parts = PurePosixPath(path).parts
    for pattern in patterns:
        if pattern.endswith("/"):
            wanted = PurePosixPath(pattern).parts
            size = len(wanted)
            ends = range(size, len(parts))
            hit = any(_alike(parts[end - size : end], wanted) for end in ends)
        elif "/" in pattern:
            hit = fnmatchcase(path, pattern)
        else:
            hit = any(fnmatchcase(part, pattern) for part in parts)
        if hit:
            return pattern
    return None


def _alike(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return all(fnmatchcase(part, pattern) for part, pattern in zip(parts, wanted, strict=True))


def is_test(path: str) -> bool:
    """Whether a file is one of the project's tests, by its name and directories."""
    found = PurePosixPath(path)
    if found.name == "conftest.py" or found.name.startswith("test_") or found.stem.endswith("_test"):
        return True
    return any(part in ("tests", "test") for part in found.parts[:-1])


def doubts(changed: Sequence[ChangedFile], places: Sequence[Place]) -> list[Because]:
    """Why tests that pass would not show that the error is corrected: the code that failed is what went."""
    found: list[Because] = []
    for place in dict.fromkeys(places):
        file = next((one for one in changed if one.path == place.path), None)
        if file is None or file.before is None:
            continue
        old, new = _function(file.before, place.function), _function(file.after, place.function)
        if old is None:
            continue
        if new is None:
            found.append(because("gone", function=place.function))
        elif _does_nothing(new) and not _does_nothing(old):
            found.append(because("emptied", function=place.function))
        elif _swallows(new) > _swallows(old):
            found.append(because("swallowed", function=place.function))
    code = [file for file in changed if not is_test(file.path)]
    if not found and code and not any(_put_in(file) for file in code):
        found.append(because("only_removed"))
    return found


def _below(path: str, project: str) -> str:
    return path.removeprefix(f"{project}/") if project else path


def _is_text(data: bytes | None) -> bool:
    if data is None:
        return True
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _taken_out(file: ChangedFile) -> bool:
    """Whether lines of code that were there are not there any more."""
    return any(line[:2] == "- " and line[2:].strip() for line in ndiff(file.old, file.new, None, None))


def _put_in(file: ChangedFile) -> bool:
    """Whether a line of code is there that was not."""
    lines = (line[2:].strip() for line in ndiff(file.old, file.new, None, None) if line[:2] == "+ ")
    return any(line and not line.startswith("#") for line in lines)


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _function(source: bytes | None, name: str) -> _Function | None:
    """The innermost named function around the code of that qualified name; None where it is not there."""
    if source is None:
        return None
    try:
        node: ast.AST = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: _Function | None = None
    for part in name.replace("<locals>.", "").split("."):
        if part.startswith("<"):
            break
        below = [one for one in _definitions(node) if one.name == part]
        if not below:
            return None
        node = below[-1]
        if isinstance(node, _Function):
            found = node
    return found


def _definitions(node: ast.AST) -> Iterator[_Function | ast.ClassDef]:
    """The functions and classes defined in a body, those under `if` and `try` too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function | ast.ClassDef):
            yield child
        else:
            yield from _definitions(child)


def _does_nothing(function: _Function) -> bool:
    return all(_is_idle(statement) for statement in function.body)


def _is_idle(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Continue | ast.Break)


def _swallows(function: _Function) -> int:
    """How many handlers catch everything and do nothing."""
    handlers = (node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler))
    return sum(
        (one.type is None or (isinstance(one.type, ast.Name) and one.type.id in _BROAD))
        and all(_is_idle(statement) for statement in one.body)
        for one in handlers
    )
