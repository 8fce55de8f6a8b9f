"""The text of an error, made of its newest event."""

from __future__ import annotations

from tocsin.handler.protocol.event import Event, Raised


def error_text(event: Event) -> str:
    """The logged message, with the exception's own text after it where the message does not hold it."""
    text = event.exception.text if event.exception else ""
    return (
        event.message
        if not text or text in event.message
        else f"{event.message}: {_exception_text(event.exception)}"
    )


def _exception_text(raised: Raised | None) -> str:
    return f"{raised.type.rpartition('.')[2]}: {raised.text}" if raised else ""
