"""Spools written by hand, and what a stream reads of them."""

from __future__ import annotations

from pathlib import Path

from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Event
from tocsin.handler.spool.files import Spool
from tocsin.handler.spool.segments import segments
from tocsin.handler.spool.stream import Stream


def event(message: str, key: int = 0, line: int = 1) -> bytes:
    return wire.encode_record(Event(1.0, 40, "log", message, None, "/a.py", "a", "f", line, key=key))


def dead(spool: Spool) -> Path:
    """The oldest file of a session whose owner is no more."""
    spool.stop()
    spool.detach()
    return Path(segments(spool.directory, spool.header.session)[0].path)


def stream_of(spool: Spool) -> Stream:
    """A reader of it as of a dead owner's."""
    return Stream(spool.directory, spool.header.session)


def messages(stream: Stream) -> tuple[list[str], int]:
    """(texts of events, events reported as lost), read to the end."""
    texts, lost, cursor = [], 0, 0
    while batch := stream.batch(cursor, cursor, 0.0):
        cursor = batch.end
        for _, payload in batch.frames:
            record = wire.decode_record(payload)
            if isinstance(record, Event):
                texts.append(record.message)
            else:
                lost += getattr(record, "count", 0)
    assert stream.backlog(cursor) == 0
    return texts, lost
