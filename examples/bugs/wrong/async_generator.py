"""An asynchronous generator that steps past its last page."""

import asyncio
from collections.abc import AsyncIterator


async def pages(found: list[list[str]], count: int) -> AsyncIterator[str]:
    """The first lines of so many pages."""
    for number in range(1, count):
        await asyncio.sleep(0)
        yield found[number][0]


async def _all() -> list[str]:
    return [line async for line in pages([["a"], ["b"]], 3)]


def main() -> None:
    asyncio.run(_all())
