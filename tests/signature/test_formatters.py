"""Real code before and after a real formatter: every statement keeps its canonical form."""

from __future__ import annotations

import argparse
import difflib
import inspect
import shutil
import smtplib
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tocsin.handler.capture.source import parsed, statement_of

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")


def statements(text: str) -> list[str]:
    """The canonical statements in the order of their lines, docstrings left out: those get indented."""
    source = parsed(text)
    assert source is not None
    found = [source.statement(line) for line in range(1, len(source.lines) + 1)]
    kept = [one for one in found if one and one.lstrip("rbf")[0] != '"']
    return [one for index, one in enumerate(kept) if index == 0 or one != kept[index - 1]]


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
@pytest.mark.parametrize("module", [argparse, difflib, smtplib, zipfile])
def test_a_formatter_changes_no_statement_of_real_code(module: ModuleType, tmp_path: Path) -> None:
    before = inspect.getsource(module)
    file = tmp_path / "code.py"
    file.write_text(before, "utf-8")
    subprocess.run([str(RUFF), "format", "--isolated", "--quiet", str(file)], check=True, timeout=60)
    # A body on its header's line is two statements of one line before, of two lines after.
    one, other = set(statements(before)), set(statements(file.read_text("utf-8")))
    assert not one - other


def test_a_case_whose_pattern_begins_on_the_next_line_is_whole() -> None:
    spread = "match x:\n    case (\n        [1, 2]\n        | 3\n    ):\n        pass\n"
    assert statement_of(spread, 3) == statement_of("match x:\n    case [1, 2] | 3:\n        pass\n", 2)
