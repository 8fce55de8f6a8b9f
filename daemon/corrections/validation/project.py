"""The developer's checkout: which file a frame means, a copy of it, the old code put back. Runs nothing.

Every path from outside is resolved inside the project or refused.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from msgspec import Struct

from tocsin.daemon.corrections.recording import CorrectionError, inside, read_text
from tocsin.daemon.corrections.validation.case import Call, Change
from tocsin.daemon.failure import Failed

COPY_LIMIT = 1024 * 1024 * 1024
"""Bytes of a project's copy, at most."""
COPY_FILES = 100_000

_DEEPEST = 40
"""Parts of a frame's path that are looked at."""

_SETTINGS = re.compile(r"""["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]{1,200})["']""")

_LEFT_OUT = frozenset((
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__", ".mypy_cache",
    ".pytest_cache", ".ruff_cache", ".hypothesis", ".idea", ".vscode",
))  # fmt: skip


class ProjectError(Failed):
    """The project cannot be used; the text says why and what to do."""


class Subject(Struct, frozen=True):
    """A module of the project. `import_name` is None where only its file is known."""

    file: str
    """Relative to the project."""
    import_root: str
    """The directory, relative to the project, from which it is imported."""
    import_name: str | None


def root_of(project: Path) -> Path:
    """The project's directory, resolved. Raises ProjectError when it is none."""
    root = project.resolve()
    if not root.is_dir():
        raise ProjectError(f"{project} is no directory; name the project's (--project)")
    return root


def interpreter(root: Path) -> str:
    """The interpreter of the project's own environment, else the one that runs now."""
    for name in (".venv", "venv"):
        python = root.resolve() / name / "bin" / "python"
        if python.exists():
            return str(python)
    return sys.executable


def locate(root: Path, call: Call) -> Subject | None:
    """The project's file that the frame's path means, None when there is none.

    The application may have run elsewhere: the longest end of its path that exists here is the file; below
    one of the project's own directories (src/, ...) it has to hold the module's whole name.
    """
    parts = [part for part in _parts(call.path) if part not in ("/", "..", ".")][-_DEEPEST:]
    whole = len(call.module.split(".")) + (parts[-1:] == ["__init__.py"])
    for base in ("", "src", *_directories(root)):
        for start in range(len(parts) if not base else len(parts) - whole + 1):
            name = "/".join(filter(None, [base, *parts[start:]]))
            if name.endswith(".py") and _is_file(root, name):
                return _subject(name, call.module)
    return None


def django_settings(root: Path) -> tuple[str, str] | None:
    """The settings' module of a Django project and the directory, relative to the root, that it is imported from.

    Found in a `manage.py` of the root or of a directory in it, which is read and not run.
    """
    for base in ("", "src", *_directories(root)):
        name = "/".join(filter(None, [base, "manage.py"]))
        if not _is_file(root, name):
            continue
        try:
            found = _SETTINGS.search(read_text(root, name))
        except CorrectionError:
            continue
        if found is not None:
            return found[1], base or "."
    return None


def _directories(root: Path) -> list[str]:
    names = (entry.name for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False))
    return sorted(name for name in names if name not in _LEFT_OUT)


def _parts(path: str) -> tuple[str, ...]:
    windows = "\\" in path and "/" not in path
    return PureWindowsPath(path).parts if windows else PurePosixPath(path).parts


def _is_file(root: Path, name: str) -> bool:
    try:
        return inside(root, name).is_file()
    except (CorrectionError, OSError, ValueError):
        return False


def _subject(name: str, module: str) -> Subject:
    path = PurePosixPath(name)
    own = path.parent.parts if path.name == "__init__.py" else path.with_suffix("").parts
    wanted = tuple(module.split("."))
    if wanted and all(part.isidentifier() for part in wanted) and own[-len(wanted) :] == wanted:
        base = own[: -len(wanted)]
        return Subject(name, "/".join(base) or ".", module)
    return Subject(name, str(path.parent), None)


def tests_folder(root: Path, configured: str | None) -> str:
    """The folder of the project's tests, relative to it: the configured one, else tests/ or test/."""
    if configured is not None:
        return str(inside(root, configured).relative_to(root))
    return next((name for name in ("tests", "test") if (root / name).is_dir()), "tests")


def has_tests(root: Path) -> bool:
    """Whether a usual test folder holds test files of the project's own."""
    for name in ("tests", "test"):
        found = (root / name).rglob("*.py") if (root / name).is_dir() else ()
        for path in found:
            own = not path.name.startswith("test_tocsin_")
            if own and (path.name.startswith("test_") or path.stem.endswith("_test")):
                return True
    return False


def copy(root: Path, target: Path) -> None:
    """Copies the project without version control, environments, caches and the copy; links stay links.

    Raises ProjectError when it is too large or cannot be read.
    """
    room = [COPY_LIMIT, COPY_FILES]

    def left_out(directory: str, names: list[str]) -> set[str]:
        skip = set()
        for name in names:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                own = os.path.realpath(path) == str(target.parent)
                if own or name in _LEFT_OUT or os.path.exists(os.path.join(path, "pyvenv.cfg")):
                    skip.add(name)
            elif not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
                skip.add(name)
            else:
                room[0] -= status.st_size
                room[1] -= 1
        if min(room) < 0:
            raise ProjectError(
                f"{root} is too large to copy ({COPY_LIMIT // 1024**3} GB, {COPY_FILES:,} files at most); "
                "name the application's own directory (--project)"
            )
        return skip

    try:
        shutil.copytree(root, target, symlinks=True, ignore=left_out)
    except (OSError, shutil.Error) as error:
        raise ProjectError(f"{root} cannot be copied: {str(error)[:500]}") from None


def in_place(root: Path, change: Change) -> str:
    """Why the change is not what the project holds now, '' when it is."""
    try:
        text = read_text(root, change.file_path)
    except CorrectionError as reason:
        return str(reason)
    old, new = _unix(change.old_code), _unix(change.new_code)
    if not new.strip():
        return f"the old code is still in {change.file_path}" if old in text else ""
    if new not in text:
        return f"the recorded new code is not in {change.file_path}"
    if old and old in text.replace(new, "\0"):
        return (
            f"the old code is still in {change.file_path}; where it rightly stands twice, "
            "record old and new code with more lines around them"
        )
    return ""


def restored(root: Path, changes: Sequence[Change]) -> dict[str, str] | str:
    """{file: its text before the changes, oldest first}, or why that cannot be told."""
    texts: dict[str, str] = {}
    undone = 0
    for change in reversed(changes):
        try:
            if change.file_path not in texts:
                texts[change.file_path] = read_text(root, change.file_path)
        except CorrectionError as reason:
            return str(reason)
        text = texts[change.file_path]
        new = _unix(change.new_code)
        if not new.strip():
            return f"code was only taken out of {change.file_path}: where it stood cannot be told"
        if text.count(new) > 1:
            return f"the new code stands more than once in {change.file_path}: the old cannot be put back"
        if new in text:
            texts[change.file_path] = text.replace(new, _unix(change.old_code))
            undone += 1
    return texts if undone else "no recorded change is in place: the old code cannot be put back"


def write(root: Path, texts: dict[str, str]) -> None:
    """Writes texts into files of the project's copy; a link there is replaced, never followed."""
    for name, text in texts.items():
        path = inside(root, name)
        path.unlink(missing_ok=True)
        path.write_bytes(text.encode("utf-8"))


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
