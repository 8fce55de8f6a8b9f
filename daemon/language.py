"""Words, moments and durations in English and French, for mails and pages. Knows no mail and no page.

The source texts are English; `locale/fr/LC_MESSAGES/tocsin.po` holds the French ones. Compile after a change:
`pybabel compile -d daemon/locale -D tocsin` (a test compares the two files).
"""

from __future__ import annotations

import gettext as _gettext
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, get_timezone_location
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from tocsin.daemon.time_zone import is_time_zone

LOCALES = Path(__file__).parent / "locale"
DOMAIN = "tocsin"
LANGUAGES = ("en", "fr")

_MOMENT = {"en": "d MMMM y, HH:mm", "fr": "d MMMM y 'à' HH:mm"}
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


class Language:
    """One language's words and ways to write. `code` is `en` or `fr`; `zone` None is the server's own zone."""

    def __init__(self, code: str, zone: str | None = None) -> None:
        self.code = code
        self._zone = ZoneInfo(zone) if zone else None
        self.catalogue: _gettext.NullTranslations = (
            _gettext.NullTranslations()
            if code == "en"
            else _gettext.translation(DOMAIN, localedir=str(LOCALES), languages=[code])
        )

    def gettext(self, text: str) -> str:
        return self.catalogue.gettext(text)

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.catalogue.ngettext(one, many, count)

    def moment(self, at: float) -> str:
        """Epoch seconds as a date and a time of day, the zone named: `22 November 2026, 15:26 (Paris)`."""
        local = (
            datetime.fromtimestamp(at, self._zone) if self._zone else datetime.fromtimestamp(at).astimezone()
        )
        said = str(format_datetime(local, _MOMENT[self.code], locale=self.code))
        if local.utcoffset() == timedelta(0) and local.tzname() == "UTC":
            return f"{said} UTC"
        if self._zone is None:
            return f"{said} ({local.tzname()})"
        return f"{said} ({get_timezone_location(self._zone, locale=self.code, return_city=True)})"

    def duration(self, seconds: float) -> str:
        """Seconds in at most two units: `24 hours`, `90 seconds`, `3 days and 4 hours`; days past 48 h."""
        rest = max(0, round(seconds))
        first = 0 if rest > 48 * 3600 else 3 if 60 < rest < 120 else 1
        parts: list[str] = []
        for name, size in _UNITS[first:]:
            count, rest = divmod(rest, size)
            if count:
                parts.append(str(format_unit(count, f"duration-{name}", locale=self.code)))
            elif parts:
                break
            if len(parts) == 2:
                break
        # Plain blanks: French puts no-break ones, which no search for "24 heures" finds.
        return str(format_list(parts, locale=self.code)).replace("\xa0", " ") if parts else self.duration(1)

    def clauses(self, said: Iterable[str]) -> str:
        """What is said, clause after clause, with the language's own blank before a semicolon."""
        return ("\xa0; " if self.code == "fr" else "; ").join(said)

    def number(self, value: float) -> str:
        return str(format_decimal(value, locale=self.code))

    def percent(self, share: float) -> str:
        """A share between 0 and 1, with two digits where it is below one percent."""
        return str(format_percent(share, "#,##0.##%" if share < 0.01 else None, locale=self.code))


@cache
def language(code: str | None, zone: str | None = None) -> Language:
    """The language of that code (`fr`, `fr_FR`, ...), English for one we do not speak; moments in that zone.

    A zone that this machine does not know counts as none given.
    """
    short = (code or "").replace("-", "_").split("_")[0].lower()
    return Language(short if short in LANGUAGES else "en", zone if zone and is_time_zone(zone) else None)
