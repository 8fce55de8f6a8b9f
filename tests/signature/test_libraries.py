"""Real libraries that log for the application's code, and templates, through the handler's own capture."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from tocsin.daemon.grouping.sign import Signature, sign
from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.capture.mentions import mentions
from tocsin.handler.capture.record import Capture
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.protocol.wire import decode_event


class Recorder(logging.Handler):
    """Signs each record as handler and daemon together would."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.capture = Capture(locals="none", in_app=(), not_in_app=(), scrub=Scrubber(()), client=None)
        self.places = CodeLocations(
            started_at=time.time() + 60, in_app=(), not_in_app=(), sys_path=(str(root),), live=True
        )
        self.seen: list[Signature] = []

    def emit(self, record: logging.LogRecord) -> None:
        event = decode_event(self.capture.payload(self.capture.summarize(record)))
        told = [self.places.of_mention(one) for one in mentions(event)]
        self.seen.append(sign(event, {(place.path, place.line): place for place in told}))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    found = Recorder(tmp_path)
    logging.getLogger().addHandler(found)
    yield found
    logging.getLogger().removeHandler(found)


def render(recorder: Recorder, root: Path, text: str) -> Signature:
    (root / "templates").mkdir(parents=True, exist_ok=True)
    (root / "templates" / "mail.html").write_text(text)
    loader = jinja2.FileSystemLoader(os.fspath(root / "templates"))
    recorder.places = Recorder(root).places
    try:
        jinja2.Environment(loader=loader, autoescape=True).get_template("mail.html").render(item={})
    except jinja2.UndefinedError:
        logging.getLogger("shop").exception("no mail")
    return recorder.seen[-1]


def test_a_jinja_template_is_known_by_its_own_line_in_any_directory(
    recorder: Recorder, tmp_path: Path
) -> None:
    one = render(recorder, tmp_path / "41", "Dear\n{{ item.price.x }}")
    other = render(recorder, tmp_path / "42", "Dear\nreader\n  {{ item.price.x }}")
    assert one.fine == other.fine
    assert one.location.module == "templates.mail.html"


def test_two_broken_lines_of_one_jinja_template_are_two_errors(recorder: Recorder, tmp_path: Path) -> None:
    one = render(recorder, tmp_path / "41", "{{ item.price.x }}")
    assert one.fine != render(recorder, tmp_path / "42", "{{ item.name.y }}").fine


async def poll_bank() -> None:
    await asyncio.get_running_loop().create_future()


async def feed_stock() -> None:
    await asyncio.get_running_loop().create_future()


def test_a_lost_task_is_known_by_its_coroutine(recorder: Recorder) -> None:
    for coroutine in (poll_bank, poll_bank, feed_stock):
        loop = asyncio.new_event_loop()
        task = loop.create_task(coroutine())
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        del task
        gc.collect()
    one, again, other = (found.fine for found in recorder.seen)
    assert one == again != other


class _Match:
    def __init__(self, route: str) -> None:
        self.route = route


class _Request:
    """Stands for Django's: what `log_response` hands over as `extra`."""

    def __init__(self, path: str, route: str) -> None:
        self.path, self.resolver_match = path, _Match(route)


def test_django_s_answer_is_known_by_its_route(recorder: Recorder) -> None:
    log = logging.getLogger("django.request")
    for path, route in (("/stock/1/", "stock/<n>/"), ("/stock/2/", "stock/<n>/"), ("/pay/1/", "pay/<n>/")):
        request = _Request(path, route)
        log.error("%s: %s", "Service Unavailable", path, extra={"request": request, "status_code": 503})
    one, again, other = (found.fine for found in recorder.seen)
    assert one == again != other
