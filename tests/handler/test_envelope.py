"""An event that is only a message is the same, whether its parts were encoded before or not."""

from __future__ import annotations

import logging
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from tocsin.handler.capture.envelope import Envelopes
from tocsin.handler.capture.site import Site
from tocsin.handler.protocol.event import Event
from tocsin.handler.protocol.outline import outline_event
from tocsin.handler.protocol.wire import decode_event

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=300)
ENVELOPES = Envelopes(str.upper)


def site(**fields: Any) -> Site:
    return Site(logging.LogRecord("", logging.ERROR, "", 0, "", (), None, "").__dict__ | fields)


SHOP = site(name="shop", pathname="/srv/orders.py", module="orders", funcName="ship", lineno=12)


@given(
    st.floats(0, 2.0**40),
    TEXT,
    TEXT | st.none(),
    TEXT,
    st.integers(1, 2**63 - 1),
    st.tuples(TEXT, TEXT, TEXT, TEXT),
    st.integers(0, 2**31 - 1),
)
def test_it_is_the_event_that_was_meant(
    at: float,
    message: str,
    template: str | None,
    thread: str,
    key: int,
    names: tuple[str, str, str, str],
    line: int,
) -> None:
    logger, path, module, function = names
    where = site(name=logger, pathname=path, module=module, funcName=function, lineno=line)
    payload = ENVELOPES.sealed(at, where, template, message, thread, key)
    meant = Event(
        occurred_at=at,
        level=logging.ERROR,
        logger=logger,
        message=message,
        template=None if template is None else template.upper(),
        path=path,
        module=module,
        function=function,
        line=line,
        thread=thread,
        key=key,
    )
    assert decode_event(payload) == meant
    assert outline_event(payload) == outline_event(msgpack.encode(meant))


def test_one_call_may_log_several_templates_from_several_threads() -> None:
    calls = [("one %d", "main"), ("two %d", "main"), ("one %d", "worker"), (None, "main")]
    for _ in range(2):
        for template, thread in calls:
            event = decode_event(ENVELOPES.sealed(1.0, SHOP, template, "one 1", thread, 7))
            assert (event.template, event.thread) == (template and template.upper(), thread)


def test_a_threads_name_may_be_anything() -> None:
    for thread in (None, 7, "a\ud800b", b"x"):
        assert decode_event(ENVELOPES.sealed(1.0, SHOP, None, "failed", thread, 7)).message == "failed"
