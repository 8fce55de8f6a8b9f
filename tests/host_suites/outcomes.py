"""What both suites need in the interpreter that runs them: our handler, counting what comes, and the outcomes."""

from __future__ import annotations

import json
import logging
import os
import unittest
import weakref
from pathlib import Path
from typing import Any

from tocsin.handler import TocsinHandler


class CountedHandler(TocsinHandler):
    """Ours, of every level. Each record that comes is one byte in a file, which children share."""

    def __init__(self, counted: str) -> None:
        super().__init__(level=1)
        self._counted = os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._seen: weakref.WeakSet[logging.LogRecord] = weakref.WeakSet()

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self.level and record not in self._seen:
            self._seen.add(record)
            os.write(self._counted, b".")
        super().emit(record)


def handler_for(how: str, counted: str) -> logging.Handler | None:
    """The handler that a suite is run with: `ours`, already in use; one that does nothing (`null`); or none."""
    if how == "nothing":
        return None
    if how == "null":
        return logging.NullHandler()
    handler = CountedHandler(counted)
    handler.handle(logging.makeLogRecord({"levelno": logging.ERROR, "msg": "before the tests"}))
    # Its thread runs by then: the tests of `logging` look whether a test has left one behind.
    handler.destination.await_delivery(10)
    return handler


class Outcomes(unittest.TextTestResult):
    """What became of each test."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.outcomes: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.outcomes[test.id()] = "passed"

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcomes[test.id()] = "skipped"

    def addFailure(self, test: unittest.TestCase, error: Any) -> None:
        super().addFailure(test, error)
        self.outcomes[test.id()] = "failed"

    def addError(self, test: unittest.TestCase, error: Any) -> None:
        super().addError(test, error)
        self.outcomes[test.id()] = "raised"

    def addExpectedFailure(self, test: unittest.TestCase, error: Any) -> None:
        super().addExpectedFailure(test, error)
        self.outcomes[test.id()] = "failed as expected"

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, error: Any) -> None:
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.outcomes[test.id()] = "failed"

    def write(self, path: str) -> None:
        Path(path).write_text(json.dumps(self.outcomes))
