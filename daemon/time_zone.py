"""Time zones, by their names in the IANA database."""

from __future__ import annotations

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LAST_EPOCH = 253402214400.0
"""The last day of the year 9999, which no zone puts into a year that `datetime` lacks."""


class TimeZone:
    """The zone that people read moments in: a named one, or for None the server's own."""

    def __init__(self, name: str | None) -> None:
        self._zone: tzinfo | None = ZoneInfo(name) if name else None
        self._name = name

    def local(self, at: float) -> datetime:
        """Epoch seconds as this zone's date and time; moments outside 1970 to 9999 as the nearest inside."""
        at = min(max(at, 0.0), _LAST_EPOCH)
        return (
            datetime.fromtimestamp(at, self._zone) if self._zone else datetime.fromtimestamp(at).astimezone()
        )

    @property
    def label(self) -> str:
        """How a title names it: `Paris`, `UTC`; of the server's own zone its abbreviation."""
        if self._name is None:
            return datetime.now().astimezone().tzname() or "local"
        return self._name.rpartition("/")[2].replace("_", " ")


def is_time_zone(name: str) -> bool:
    """Whether it names a time zone that this machine knows, such as `Europe/Paris`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
