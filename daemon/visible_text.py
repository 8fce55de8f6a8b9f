"""Text from outside, made harmless to look at: every control and direction character becomes visible."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

SHOWN = 20_000
"""Characters of one value that a page shows at most."""

# What changes the direction of text or hides in it could make a line read as another one.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def _name(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def visible(text: str) -> str:
    """The text with control, direction and zero-width characters written out; tabs and newlines stay."""
    return text if text.isprintable() else _HIDDEN.sub(_name, text)


def capped(text: str, limit: int = SHOWN) -> str:
    """The text, or its beginning and a mark that says how much is left out."""
    return text if len(text) <= limit else f"{text[:limit]} … (+{len(text) - limit:,})"


def shown(value: Any) -> Any:
    """What a template may write of a value: every expression of every template goes through here."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    return visible(capped(value if isinstance(value, str) else str(value)))


def fence(text: str) -> str:
    """A Markdown fence longer than any run of backticks in the text."""
    return "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
