"""The code location that a record comes from, read and cleaned once: most records come from few locations."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from tocsin.handler.capture import values

_KEPT, _TEXT = 2048, 1000
"""Locations that are kept, at most; all are forgotten together. Characters of the names of one."""


class Names(NamedTuple):
    """The names of a location as they are written."""

    logger: str
    path: str
    module: str
    function: str


class Site:
    """One of them, with the logger and the level that its records have."""

    __slots__ = (
        *("function", "key", "level", "level_name", "levelname", "line", "logger", "module", "path"),
        *("shown", "template"),
    )

    def __init__(self, fields: dict[str, Any]) -> None:
        """`fields`: a record's, as far as they say it; one made by hand may say anything."""
        self.template: dict[str, Any] | None = None
        """The fields that a record made here begins with."""
        self.path, self.line = word(fields["pathname"]), _number(fields["lineno"], 0)
        self.function, self.module = word(fields["funcName"]), word(fields["module"])
        self.logger, self.level = word(fields["name"]), _number(fields["levelno"], logging.ERROR)
        self.levelname = fields["levelname"]
        self.level_name = values.level_name(self.level, self.levelname)
        self.key = hash((self.path, self.line, self.function, self.level, self.logger))
        """This location's part of a repeat key."""
        self.shown = Names(*map(values.clean, (self.logger, self.path, self.module, self.function)))


class Sites(dict[tuple[str, int], Site]):
    """Those that are known, by path and line. For any thread."""

    def find(self, fields: dict[str, Any]) -> Site:
        """The location of a record with these fields."""
        path, line, module = fields["pathname"], fields["lineno"], fields["module"]
        if type(path) is not str or type(line) is not int or type(module) is not str:
            return Site(fields)
        site = self.get((path, line))
        # The very objects of an earlier record need no second look; a logger and a function keep theirs.
        if (
            site is not None
            and (site.function is fields["funcName"] and site.logger is fields["name"])
            and (site.level is fields["levelno"] and site.module == module)
        ):
            return site
        site = Site(fields)
        if len(path) + len(site.function) + len(site.logger) + len(module) < _TEXT:
            if len(self) >= _KEPT:
                self.clear()
            self[path, line] = site
        return site


def word(given: object) -> str:
    """A name that a record tells, bounded; "" for what is no text."""
    if type(given) is str and len(given) <= 1024:
        return given
    return values.shortened(values.exact(given) or "", 1024)


def _number(given: object, default: int) -> int:
    return given if type(given) is int and -(2**31) < given < 2**31 else default


sites = Sites()
"""Of this process."""
