"""An asynchronous function that trusts an answer."""

import asyncio


async def stock(answer: dict[str, object]) -> int:
    """Pieces left, by the warehouse's answer."""
    await asyncio.sleep(0)
    left = answer["stock"]
    return int(left["free"]) if isinstance(left, dict) else 0


def main() -> None:
    asyncio.run(stock({"stock": None}))
