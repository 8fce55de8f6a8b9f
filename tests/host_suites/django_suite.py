"""Django's own tests in this interpreter, from its `tests` directory: `django_suite.py HOW RESULTS COUNTED LABEL...`.

HOW names the handler on the root logger (`outcomes.handler_for`): put there before Django is configured, and where a
test has taken it away, again before the next one. RESULTS becomes a JSON object of each test's outcome.
"""

from __future__ import annotations

import faulthandler
import logging
import runpy
import sys
import unittest

from outcomes import Outcomes, handler_for


def main(how: str, results: str, counted: str, *labels: str) -> None:
    faulthandler.dump_traceback_later(300, exit=True)
    handler = handler_for(how, counted)
    root = logging.getLogger()

    class Attached(Outcomes):
        def startTest(self, test: unittest.TestCase) -> None:
            if handler is not None:
                root.addHandler(handler)
            super().startTest(test)

        def stopTestRun(self) -> None:
            super().stopTestRun()
            self.write(results)

    if handler is not None:
        root.addHandler(handler)
    sys.path.insert(0, "")
    from django.test.runner import DiscoverRunner  # noqa: PLC0415

    DiscoverRunner.get_resultclass = lambda _: Attached
    sys.argv = ["runtests.py", "--parallel", "1", "--verbosity", "0", *labels]
    runpy.run_path("runtests.py", run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
