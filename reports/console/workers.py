"""The threads that use the database, each with a connection of its own: so many requests are answered at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from tocsin.daemon.log import log

COUNT = 4
P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    """Nothing else in the console touches the database: the event loop only waits."""

    def __init__(self, count: int = COUNT) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="console")

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What the call returns or raises, from one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))

    def later(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Has the call made by one of the threads; whoever asked does not wait for it."""
        self._pool.submit(self._guarded, lambda: call(*args, **kwargs))

    @staticmethod
    def _guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            log.error("console_failed", exc_info=error)

    def close(self) -> None:
        """Waits for what is being answered."""
        self._pool.shutdown()
