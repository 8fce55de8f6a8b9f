"""What tests wait for, and where: facts that come true, directories that sockets fit in."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def until(fact: Callable[[], object], seconds: float = 60.0) -> bool:
    """Polls until `fact()` holds; False when it did not in time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (held := bool(fact())):
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return held


@contextlib.contextmanager
def short_place() -> Iterator[Path]:
    """A directory with a short path: a socket's name has 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="tocsin-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
