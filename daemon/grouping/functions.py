"""The functions that are counted for an error: where an event of it happened, and what called that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tocsin.daemon.grouping.last_frames import is_own
from tocsin.daemon.grouping.rule1 import NAME_LIMIT, function_name
from tocsin.handler.capture.values import clean
from tocsin.handler.protocol.event import CodeLocation, Event

ONLY = "*."
"""Before the name of a function of which no more is known: the only one of its module called so."""


class Function(NamedTuple):
    """A function of the application's own code, by its module and qualified name."""

    caller: bool
    """It called the one in which the event happened."""
    module: str
    name: str


def functions_of(event: Event, locations: Sequence[CodeLocation]) -> list[Function]:
    """At most one of each; none where it is the code of a module itself, which runs once."""
    known = {(one.path, one.line): one for one in locations}
    if event.exception is None:
        place = known.get((event.path, event.line))
        if place is None or not place.in_app or not place.module:
            return []
        return _named([(False, place.module, f"{ONLY}{event.function}" if event.function else "")])
    own = [one for one in event.exception.frames if is_own(one, known.get((one.path, one.line)))]
    inner = list(dict.fromkeys((one.module, function_name(one.function)) for one in reversed(own)))[:2]
    return _named([(bool(index), *function) for index, function in enumerate(inner)])


def _named(found: Sequence[tuple[bool, str, str]]) -> list[Function]:
    return [
        Function(caller, clean(module)[:NAME_LIMIT], clean(name)[:NAME_LIMIT])
        for caller, module, name in found
        if module and name and not name.endswith("<module>")
    ]
