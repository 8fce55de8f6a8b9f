"""Runs are counted where `sys.monitoring` is: elsewhere only what says so is collected."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from support.watching import Imported, Watching

from tocsin.handler.protocol.wire import WatchedFunction
from tocsin.handler.running.counts import RunCounts

if not hasattr(sys, "monitoring"):
    collect_ignore = ["test_counts.py", "test_functions.py", "test_beside.py", "test_live.py"]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Imported]:
    """Writes a module of that name and text, and imports it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made: list[str] = []

    def make(text: str, name: str = "shop_for_runs") -> ModuleType:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def watching() -> Iterator[Watching]:
    """Counts these functions of a module, as a session does; at the end the process is as it was."""
    made: list[RunCounts] = []

    def watch(*names: str, module: str = "shop_for_runs", interval: float = 3600.0) -> RunCounts:
        counts = RunCounts(interval)
        made.append(counts)
        counts.watch([WatchedFunction(number, False, module, name) for number, name in enumerate(names)])
        return counts

    yield watch
    for counts in made:
        counts.end()
