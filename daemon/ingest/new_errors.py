"""The error of a signature that was not seen before: a corrected one come back, a new one, an overflow error.

Errors are capped per code location and per service. What is over a cap is counted in an overflow error.
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.daemon.grouping.sign import Signature
from tocsin.daemon.ingest.error_text import error_text
from tocsin.daemon.ingest.tally import Sum
from tocsin.daemon.store import errors
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.errors import Key
from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.tickets.recurrence import same_after_correction
from tocsin.handler.protocol.event import Event

ERRORS_PER_PLACE = 100
"""Errors of one coarse signature, at most: what is over goes to the location's overflow error."""
ERRORS_PER_SERVICE = 10_000
"""Errors of one service and environment, at most: what is over goes to the service's overflow error."""
OVERFLOW = "overflow:"
FULL_REMEMBERED = 10_000
"""Full locations remembered between transactions, at most: they do not become emptier."""

Location = tuple[str, str, str]
"""(service, environment, coarse signature); '' as coarse signature: the whole service."""

FullLocations = set[Location]
"""Locations of which no new error is made any more; kept from one transaction to the next."""


def columns_of(signature: Signature, event: Event) -> dict[str, object]:
    """What an error's row says of its code and its text."""
    path, line, module, function = signature.location
    return {
        "coarse": signature.coarse,
        "source": path,
        "line": line,
        "module": module,
        "function": function,
        "title": signature.title,
        "message": error_text(event),
        "level": event.level,
        "components": signature.components,
    }


class NewErrors:
    """Finds or creates the errors of one transaction's new signatures."""

    def __init__(self, store: Store, full: FullLocations, now: float) -> None:
        self._store = store
        self._full = full
        self._now = now
        self._numbers: dict[Location, int] = {}
        """Errors of each location."""
        self._corrected_locations: set[Location] | None = None
        self._corrections: dict[Location, list[tuple[int, str]]] = {}
        self._overflows: dict[Key, ErrorLog] = {}

    def error_of(self, key: Key, total: Sum) -> ErrorLog:
        """The error of a signature not seen before: a corrected one that came back changed, or a new one."""
        coarse = total.signature.coarse
        came_back = self._came_back(key, total)
        if came_back is not None:
            return came_back
        if self._is_full(key, coarse, ERRORS_PER_PLACE):
            path, line, module, function = total.signature.location
            return self._overflow(key, coarse, source=path, line=line, module=module, function=function)
        if self._is_full(key, "", ERRORS_PER_SERVICE):
            return self._overflow(key, "", source="", line=0, module="", function="")
        for location in ((*key[:2], coarse), (*key[:2], "")):
            self._numbers[location] = self._numbers.get(location, 0) + 1
        return self._create(key, total)

    def overflow_for(self, error: ErrorLog, *, whole_service: bool) -> ErrorLog:
        """The overflow error of an error's code location, or of its whole service."""
        key = Key(error.service, error.environment, error.signature)
        return self._overflow(
            key,
            "" if whole_service else error.coarse,
            source=error.source,
            line=error.line,
            module=error.module,
            function=error.function,
        )

    def _came_back(self, key: Key, total: Sum) -> ErrorLog | None:
        path, line, _, _ = total.signature.location
        location = total.locations.get((path, line))
        if location is None or not location.statement:
            return None
        for error_id, new_code in self._corrected_at(key, total.signature.coarse):
            if same_after_correction(location.statement, new_code):
                error: ErrorLog = ErrorLog.get_by_id(error_id)
                errors.point(key, error)
                return error
        return None

    def _corrected_at(self, key: Key, coarse: str) -> list[tuple[int, str]]:
        """(error id, new code) of the location's corrections. Most locations have none: they cost no query."""
        location = (key.service, key.environment, coarse)
        if self._corrected_locations is None:
            self._corrected_locations = errors.corrected_locations()
        if location not in self._corrected_locations:
            return []
        if location not in self._corrections:
            self._corrections[location] = errors.corrected_at_location(*location)
        return self._corrections[location]

    def _create(self, key: Key, total: Sum) -> ErrorLog:
        columns = columns_of(total.signature, total.event)
        return errors.create(self._store, key, **columns, first_seen=total.first_at, last_seen=total.last_at)

    def _is_full(self, key: Key, coarse: str, cap: int) -> bool:
        """Whether the location, or ('') the service, has as many errors as it may."""
        location = (key.service, key.environment, coarse)
        if location in self._full:
            return True
        if (key.service, key.environment, "") not in self._numbers:
            self._count(key.service, key.environment)
        if self._numbers.get(location, 0) < cap:
            return False
        if len(self._full) >= FULL_REMEMBERED:
            self._full.clear()
        self._full.add(location)
        return True

    def _count(self, service: str, environment: str) -> None:
        """Learns how many errors each location of the service has: one query for all of the transaction."""
        found = errors.count_by_location(service, environment)
        self._numbers |= {(service, environment, coarse): number for coarse, number in found.items()}
        self._numbers[service, environment, ""] = sum(found.values())

    def _overflow(self, key: Key, coarse: str, **location: object) -> ErrorLog:
        """The one error for what is over a cap: of a location, or ('' as coarse) of the whole service."""
        own = Key(key.service, key.environment, OVERFLOW + coarse)
        if own not in self._overflows:
            found = errors.by_key(self._store, [own])
            self._overflows[own] = found.get(own) or self._create_overflow(own, coarse, location)
        return self._overflows[own]

    def _create_overflow(self, own: Key, coarse: str, location: Mapping[str, object]) -> ErrorLog:
        name = f"{location['module']}.{location['function']}" if coarse else f"the service {own.service}"
        return errors.create(
            self._store,
            own,
            coarse=own.signature,
            title=f"More errors of many kinds in {name}",
            message=f"Too many different errors in {name}: those over the limit are counted here together.",
            first_seen=self._now,
            last_seen=self._now,
            **location,
        )
