"""Tests able to fail: a sample of small changes to the pure core is noticed. `make mutants` tries all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.mutants import Stage, explained

QUICK = (
    "daemon/tickets/lifecycle.py",
    "daemon/store/intervals.py",
    "handler/protocol/wire.py",
    "handler/shipping/delivery.py",
)
"""Modules whose tests take no time."""


@pytest.mark.timeout(300)
def test_a_sample_of_mutants_dies(tmp_path: Path) -> None:
    stage, known = Stage(tmp_path, QUICK), explained()
    names = sorted(name for name, change in stage.mutants().items() if change not in known)
    sample = random.Random(12).sample(names, 15)
    stage.run(sample)
    tried = stage.statuses()
    assert {name: tried[name] for name in sample if tried[name] not in ("killed", "timeout")} == {}
