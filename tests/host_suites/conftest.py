"""A real daemon for each suite."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import Daemon, short_place

# Test modules are imported by path; what they share is found beside them.
sys.path.insert(0, str(Path(__file__).parent))
from suite_run import with_test_package

collect_ignore = [] if with_test_package() else ["test_standard_library.py"]


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with short_place() as place, Daemon(place) as running:
        yield running
