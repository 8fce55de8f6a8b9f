"""CPython's own test_logging with our handler on the root logger: the same outcomes, and each record counted once."""

from __future__ import annotations

import pytest
from suite_run import SuiteRun, with_test_package
from support.running import Daemon

QUICK = (
    *("BuiltinLevelsTest", "MemoryHandlerTest", "ConfigFileTest", "ShutdownTest", "ModuleLevelMiscTest"),
    *("QueueHandlerTest", "LogRecordTest", "LogRecordFactoryTest", "ExceptionTest", "BasicConfigTest"),
    *("LoggerTest", "ChildLoggerTest"),
)
"""Classes of it that take seconds together."""
NONE_ALLOWED = ("LastResortTest.test_last_resort", "LoggerAdapterTest.test_has_handlers")
"""Tests of what `logging` does where no logger has a handler: they fail with any."""


def test_some_classes_of_the_standard_librarys_tests(daemon: Daemon) -> None:
    run = SuiteRun(daemon, with_test_package()[0], "logging_suite.py")
    assert set(run.outcomes("ours", *QUICK).values()) <= {"passed", "skipped"}
    assert run.counted > 30
    assert run.arrived(), (run.counted, daemon.total(), daemon.lost())


@pytest.mark.soak
@pytest.mark.parametrize("version", with_test_package())
def test_all_of_the_standard_librarys_tests(version: str, daemon: Daemon) -> None:
    run = SuiteRun(daemon, version, "logging_suite.py")
    nothing, null, ours = (run.outcomes(how) for how in ("nothing", "null", "ours"))
    assert ours == {name: null[name] if name.endswith(NONE_ALLOWED) else nothing[name] for name in nothing}
    assert run.counted > 400
    assert run.arrived(), (run.counted, daemon.total(), daemon.lost())
