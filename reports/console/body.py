"""A request's body: whole, and neither too large nor too slow."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

BODY_LIMIT = 1_000_000
BODY_WITHIN = 20.0
"""Seconds that a body may take to come in."""


class Refused(Exception):
    """A request that is not read on."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def read_body(request: Request) -> bytes:
    """The whole body. Raises Refused when it is too large or comes too slowly."""
    try:
        announced = int(request.headers.get("content-length") or 0)
    except ValueError:
        raise Refused(400) from None
    if announced > BODY_LIMIT:
        raise Refused(413)
    parts = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for part in request.stream():
                parts += part
                if len(parts) > BODY_LIMIT:
                    raise Refused(413)
    except (TimeoutError, ClientDisconnect):
        raise Refused(408) from None
    return bytes(parts)
