"""The words of the commands' answers in the reader's language.

The French ones are in `locale/fr/LC_MESSAGES/command.po`. `python tests/support/command_catalogue.py` renews and
compiles it; a test names what has no French text. Help is English.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

DOMAIN = "command"
LOCALES = Path(__file__).parent / "locale"


@cache
def words(code: str) -> gettext.NullTranslations:
    """The words of that language, `en` or `fr`."""
    if code == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, localedir=str(LOCALES), languages=[code])
