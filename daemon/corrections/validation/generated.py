"""The generated test: fixed code, and its data as JSON beside it. Pure but for `write`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from tocsin.daemon.corrections.recording import inside
from tocsin.daemon.corrections.validation.case import Call, Change
from tocsin.daemon.corrections.validation.project import Subject

CODE = Path(__file__).with_name("template.py").read_bytes()
"""The test's code, the same for every error."""


class Located(Struct, frozen=True):
    """A call that can be tried again, and its module in the project."""

    call: Call
    subject: Subject
    above: list[Subject] = []
    """Modules in which an application context may be found."""


def name_of(error_id: int) -> str:
    """The test's file name without its suffix."""
    return f"test_tocsin_{int(error_id)}"


def data(
    error_id: int,
    folder: str,
    *,
    files: Sequence[str],
    changes: Sequence[Change],
    modules: Sequence[Subject],
    calls: Sequence[Located],
    django: tuple[str, str] | None = None,
) -> bytes:
    """The test's data for a test that stands in `folder` (relative to the project).

    `django`: the settings' module, and the directory that it is imported from.
    """
    depth = len([part for part in PurePosixPath(folder).parts if part != "."])
    content: dict[str, Any] = {
        "error": error_id,
        "root": "/".join([".."] * depth) or ".",
        "compiled": [name for name in files if name.endswith(".py")],
        "changes": [{"file": one.file_path, "old": one.old_code, "new": one.new_code} for one in changes],
        "modules": [_of(subject) for subject in modules],
        "django": django and {"settings": django[0], "directory": django[1]},
        "calls": [
            {
                **_of(one.subject),
                "module": one.call.module,
                "function": one.call.function,
                "error": one.call.error,
                "within": one.call.within or one.call.function,
                "arguments": one.call.arguments,
                "described": one.call.described,
                "above": [_of(subject) for subject in one.above],
            }
            for one in calls
        ],
    }
    return (json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def name_for(error_id: int, calls: Sequence[Located], directory: Path) -> str:
    """A name that a person would choose for a test that stays: of the function that failed, where nothing has it."""
    if not calls:
        return name_of(error_id)
    call = calls[0].call
    words = (call.module.rpartition(".")[2], *call.function.split("."))
    name = "_".join(
        ["test", *(re.sub(r"\W+", "_", word.lower(), flags=re.ASCII).strip("_") for word in words)]
    )[:80]
    test = directory / f"{name}.py"
    ours = test.is_file() and test.with_suffix(".json").is_file() and test.read_bytes() == CODE
    return name if ours or not test.exists() else f"{name}_{int(error_id)}"


def write(root: Path, folder: str, name: str, content: bytes) -> Path:
    """Writes the test and its data into the project's folder; its path. A link in its place is replaced."""
    directory = inside(root, folder)
    directory.mkdir(parents=True, exist_ok=True)
    test = directory / f"{name}.py"
    for path, bytes_ in ((test, CODE), (test.with_suffix(".json"), content)):
        path.unlink(missing_ok=True)
        path.write_bytes(bytes_)
    return test


def _of(subject: Subject) -> dict[str, Any]:
    return {
        "file": subject.file,
        "import_root": subject.import_root,
        "import_name": subject.import_name,
    }
