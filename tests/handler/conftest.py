"""What the handler's tests share: a place for spool and socket, and handlers that end with their test."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tocsin.handler import TocsinHandler
from tocsin.handler.capture import context
from tocsin.handler.session import describe
from tocsin.handler.settings import Settings
from tocsin.handler.spool.files import Spool

# Test modules are imported by path; what they share is found beside them.
sys.path.insert(0, str(Path(__file__).parent))
from hostile_records import Trap


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short path: a socket's name has 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="tocsin-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def logger_to(place: Path) -> Iterator[Callable[..., logging.Logger]]:
    """Makes loggers with a handler of their own; their sessions end with the test."""
    made: list[TocsinHandler] = []

    def make(**arguments: Any) -> logging.Logger:
        arguments = {"endpoint": f"ipc://{place}/s", "service": "shop", "spool": place / "spool", **arguments}
        handler = TocsinHandler(**arguments)
        made.append(handler)
        logger = logging.Logger(f"test.{len(made)}")
        logger.addHandler(handler)
        return logger

    yield make
    for handler in made:
        handler.close()
        handler.destination.finish(0)


@pytest.fixture
def spool(place: Path) -> Spool:
    """The writing side of a session of this process."""
    settings = Settings(endpoints=(f"ipc://{place}/s",), service="shop", spool=str(place / "spool"))
    return Spool(str(place / "spool"), describe(settings))


@pytest.fixture(autouse=True)
def nothing_bound() -> Iterator[None]:
    context.unbind()
    yield
    context.unbind()


@pytest.fixture
def opened() -> list[str]:
    Trap.opened.clear()
    return Trap.opened
