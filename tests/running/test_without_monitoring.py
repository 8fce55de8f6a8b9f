"""Where the interpreter cannot count, it says that it cannot know."""

from __future__ import annotations

import pytest

from tocsin.handler.protocol.wire import WatchedFunction
from tocsin.handler.running import counts, monitor
from tocsin.handler.running.counts import RunCounts


def test_an_older_python_says_that_it_cannot_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "api", None)
    monkeypatch.setattr(counts, "api", None)
    own = RunCounts(30.0)
    own.watch([WatchedFunction(1, False, "os", "getcwd")])
    own.check(0.0)
    assert [(one.begun, one.unknown) for one in own.told()] == [(0, "no_monitoring")]
    own.end()
