"""An asynchronous function that trusts an answer."""

import asyncio


async def stock(answer: dict[str, object]) -> int:
    """Pieces left, by the warehouse's answer."""
    await asyncio.sleep(0)
    return int(answer["stock"]["pieces"])  # type: ignore[index]


def main() -> None:
    asyncio.run(stock({"stock": None}))
