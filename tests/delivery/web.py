"""A small application for gunicorn: it answers with the text it logged, each one an error of its own."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from tocsin.handler import TocsinHandler

log = logging.Logger("web")
log.addHandler(TocsinHandler(service="web", heartbeat=1.0))
number = itertools.count()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    text = f"{environ['PATH_INFO'].strip('/')}-{os.getpid()}-{next(number)}"
    try:
        raise LookupError(text)
    except LookupError:
        log.exception(text, extra={"fingerprint": [text]})
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
