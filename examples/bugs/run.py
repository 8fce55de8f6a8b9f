"""Runs every bug three times under a real handler: `python examples/bugs/run.py ENDPOINT SPOOL PROJECT`.

PROJECT holds the bugs as the package `app`, copied from `broken/`.
"""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path

from tocsin.handler import TocsinHandler

TIMES = 3


def main() -> int:
    endpoint, spool, project = sys.argv[1:]
    sys.path.insert(0, project)
    handler = TocsinHandler(endpoint=endpoint, spool=spool, service="bugs", flush_timeout=30)
    log = logging.getLogger("bugs")
    log.addHandler(handler)
    log.propagate = False
    names = sorted(path.stem for path in Path(project, "app").glob("*.py"))
    for name in names:
        module = importlib.import_module(f"app.{name}")
        for _ in range(TIMES):
            try:
                module.main()
            except Exception:
                log.exception("%s failed", name)
    handler.close()
    print(TIMES * len(names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
