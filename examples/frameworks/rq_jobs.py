"""Jobs for RQ's workers (rq_settings.py says how they are run); each job runs in a process of its own."""

from __future__ import annotations

import tocsin.handler

BOXES: dict[str, str] = {}


def pack(client: str, parcel: str) -> None:
    """Raises, and RQ logs it."""
    with tocsin.handler.bind(client=client):
        print(f"Parcel {parcel} goes into {BOXES[parcel]}")
