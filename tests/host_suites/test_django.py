"""Django's logging, handlers and view tests with our handler on the root logger: the same outcomes, all counted."""

from __future__ import annotations

import pytest
from suite_run import SuiteRun, django_tests
from support.interpreters import found
from support.running import Daemon

LABELS = ("logging_tests", "handlers", "view_tests")


@pytest.mark.soak
@pytest.mark.parametrize("version", found())
def test_djangos_own_tests(version: str, daemon: Daemon) -> None:
    tests, path = django_tests()
    run = SuiteRun(daemon, version, "django_suite.py")
    nothing, ours = (run.outcomes(how, *LABELS, cwd=tests, path=path) for how in ("nothing", "ours"))
    assert ours == nothing
    assert run.counted > 100
    assert run.arrived(), (run.counted, daemon.total(), daemon.lost())
