"""CPython's own test_logging in this interpreter: `logging_suite.py HOW RESULTS COUNTED [NAME...]`.

HOW names the handler on the root logger (`outcomes.handler_for`). The tests build and clear the root logger's
handlers themselves: the handler, made before the first test, is put back behind each test's own `setUp`. RESULTS
becomes a JSON object of each test's outcome.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
import unittest
from collections.abc import Callable

from outcomes import Outcomes, handler_for
from test import support, test_logging


class Tidy(Outcomes):
    """Also whether a test left a thread or a child behind, which CPython's tests notice of themselves."""

    def startTest(self, test: unittest.TestCase) -> None:
        support.environment_altered = False
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if support.environment_altered:
            self.outcomes[test.id()] += ", and left something behind"


def attach(handler: logging.Handler) -> None:
    """Has each test find the handler on the root logger.

    It comes after what the tests' base class sets up, which insists on a root logger without handlers; and before
    what the others set up, which put away the handlers that they find.
    """
    base = test_logging.BaseTest
    base.setUp = with_handler(base.setUp, handler, before=False)
    for cls in vars(test_logging).values():
        own = isinstance(cls, type) and issubclass(cls, unittest.TestCase) and not issubclass(cls, base)
        if own and "setUp" in vars(cls):
            cls.setUp = with_handler(cls.setUp, handler, before=True)


def with_handler(
    set_up: Callable[[unittest.TestCase], None], handler: logging.Handler, before: bool
) -> Callable[[unittest.TestCase], None]:
    root = logging.getLogger()

    def setUp(test: unittest.TestCase) -> None:
        if before:
            root.addHandler(handler)
        test.addCleanup(root.removeHandler, handler)
        set_up(test)
        if not before:
            root.addHandler(handler)

    return setUp


def main(how: str, results: str, counted: str, *names: str) -> None:
    faulthandler.dump_traceback_later(300, exit=True)
    handler = handler_for(how, counted)
    if handler is not None:
        attach(handler)
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(names or ["test.test_logging"], test_logging if names else None)
    result = unittest.TextTestRunner(resultclass=Tidy, verbosity=0).run(tests)
    assert isinstance(result, Tidy)
    result.write(results)


if __name__ == "__main__":
    main(*sys.argv[1:])
