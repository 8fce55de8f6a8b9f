"""Words, moments and durations in English and French, for mails and pages. Knows no mail and no page.

The source texts are English; `locale/fr/LC_MESSAGES/tocsin.po` holds the French ones. Compile after a change:
`pybabel compile -d daemon/locale -D tocsin` (a test compares the two files).
"""

from __future__ import annotations

import gettext as _gettext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.dates import format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

LOCALES = Path(__file__).parent / "locale"
DOMAIN = "tocsin"
LANGUAGES = ("en", "fr")

_MOMENT = {"en": "d MMMM y, HH:mm 'UTC'", "fr": "d MMMM y 'à' HH:mm 'UTC'"}
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


class Language:
    """One language's words and ways to write. `code` is `en` or `fr`."""

    def __init__(self, code: str) -> None:
        self.code = code
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
        """Epoch seconds as a date and a time of day in UTC: `22 November 2026, 14:26 UTC`."""
        return str(format_datetime(datetime.fromtimestamp(at, UTC), _MOMENT[self.code], locale=self.code))

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

    def number(self, value: float) -> str:
        return str(format_decimal(value, locale=self.code))

    def percent(self, share: float) -> str:
        """A share between 0 and 1, with two digits where it is below one percent."""
        return str(format_percent(share, "#,##0.##%" if share < 0.01 else None, locale=self.code))


@cache
def language(code: str | None) -> Language:
    """The language of that code (`fr`, `fr_FR`, ...); English for one we do not speak."""
    short = (code or "").replace("-", "_").split("_")[0].lower()
    return Language(short if short in LANGUAGES else "en")
