"""Hands every hostile record to a real handler, with standard error closed. Prints how many there were."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "handler"))

from hostile_records import HOSTILE  # type: ignore[import-not-found]

from tocsin.handler import TocsinHandler

if __name__ == "__main__":
    handler = TocsinHandler(service="hostile")
    sys.stderr.close()
    for make in HOSTILE.values():
        handler.handle(make())
    print(len(HOSTILE), flush=True)
    os._exit(0)
