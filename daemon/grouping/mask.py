"""Texts of one kind made equal: what varies from one occurrence to the next becomes `*`. Pure.

Guarded sequential passes: a pass runs only when a character it needs is there. Every pattern is linear, by
possessive repeats and by starting only where a token starts.
"""

from __future__ import annotations

import re

INPUT_LIMIT = 4096
"""Characters of a text that are looked at, at most."""
LIMIT = 512
"""Characters of a masked text, at most."""

# Letters of scripts that put blanks between words: elsewhere a digit must not take the words around it along.
_W = r"A-Za-z_\u00c0-\u08ff"
_PUNCTUATION = r".\-/:@+%~#"

_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_URL = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.\-]{0,30}+://[^\s'\"<>()\[\]{}`]*+")
_JWT = re.compile(rf"(?<![\w])eyJ[\w\-]{{8,}}+[{_PUNCTUATION}\w=]*+")
_SQL = re.compile(r"\b(?:SELECT|UPDATE|DELETE|INSERT INTO|VALUES|WHERE)\b")
_SQL_LITERAL = re.compile(r"'[^']*+'")
_QUOTED_PATH = re.compile(r"(['\"])(?:/[\w.\-]|~/|[A-Za-z]:[\\/]|\\\\)[^'\"]*+\1")
_WINDOWS_PATH = re.compile(r"(?<![\w\\])(?:[A-Za-z]:[\\/]|\\\\)[^\s'\"<>|*?;,)\]}]*+")
_PATH = re.compile(r"(?<![\w/.~*])(?:~|\.{1,2})?/[\w.@+~%\-*][\w.@+~%\-*/]*+")
_RELATIVE_PATH = re.compile(r"(?<![\w/.\-])[\w\-]++(?:/[\w\-]++)++\.[A-Za-z]{1,5}(?![\w/])")
_SPAN = re.compile(r"(?<![\w.])[\d*][\d.]*+ ?(?:d|h|m|min|s|ms)(?: [\d*][\d.]*+ ?(?:h|m|min|s|ms)(?!\w))++")
_MAIL = re.compile(r"(?<![\w.+\-@])[\w.+\-]{1,64}+@[\w.\-]++")
_TOKEN = re.compile(rf"(?<![{_W}\d*{_PUNCTUATION}])(?:[{_W}{_PUNCTUATION}])*+[\d*][{_W}\d*{_PUNCTUATION}]*+")
_TOKEN_AFTER_OTHER = re.compile(r"[\d*]*\d[\d*]*|\*{2,}")
_HEX = re.compile(r"(?<!\w)(?:[a-f]{8,}+|[A-F]{8,}+)(?!\w)")
_PADDING = re.compile(r"\*={1,2}(?![\w*='\"\[({])")
_UNIT = re.compile(
    r"\* ?(?:%|‰|°C|[kKMGTP]i?[Bb](?:it|yte)?s?(?:/s)?|[Bb](?:ytes?)?|bits?|[nuµm]s|[smhd]|secs?|seconds?|"
    r"mins?|minutes?|hrs?|hours?|days?|weeks?|months?|years?|milliseconds?|microseconds?|[kMG]?Hz|"
    r"AM|PM|UTC|GMT)(?![\w*])"
)
_DATE = re.compile(
    r"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? )?(?:\* )?"
    r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6},? \*(?:,? \*)*+"
)
_QUOTED = re.compile(r"(?<![\w*])(?:[bru]{1,2}(?=['\"]))?(['\"`])[^\s'\"`]*+\1(?!\w)")
_CURLED = re.compile(r"“[^\s“”]*+”|‘[^\s‘’]*+’|« ?[^\s«»]*+ ?»")
_BLOB = re.compile(r"\{[^{}]*+\}")
_CUT_BLOB = re.compile(r"\{(?=\s*$|\s*['\"])[^{}]*+$")
_EMPTY_LIST = re.compile(r"(?<=[:= ])\[\]")
_CONSTANT = re.compile(r"(?<=[:=])( ?)(?:true|false|none|null|nan)(?!\w)", re.IGNORECASE)
_RUN = re.compile(r"\*(?: ?, ?\*)++")
_BRACKETED = re.compile(r"(?<!\w)(?:\(\*\)|\[\*\])")


def mask(text: str) -> str:
    """The text with everything that varies as `*`, white space as single blanks, at most `LIMIT` characters.

    Applying it again changes nothing. Templates (with `*` already in them) and texts go through the same
    passes, so that they agree.
    """
    before = None
    text = _passes(text[:INPUT_LIMIT])[:LIMIT]
    while text != before:
        before = text
        text = _passes(text)
    return text


def _passes(text: str) -> str:
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    text = " ".join(text.split())
    if "/" in text or "\\" in text or "@" in text:
        text = _addresses(text)
    if "eyJ" in text:
        text = _JWT.sub("*", text)
    if "'" in text and _SQL.search(text):
        text = _SQL_LITERAL.sub("*", text)
    text = _tokens(text)
    if "'" in text or '"' in text or "`" in text:
        text = _QUOTED.sub("*", text)
    if not text.isascii():
        text = _CURLED.sub("*", text)
    if "{" in text:
        text = _CUT_BLOB.sub("*", _BLOB.sub("*", text))
    if "[]" in text:
        text = _EMPTY_LIST.sub("*", text)
    if ":" in text or "=" in text:
        text = _CONSTANT.sub(r"\1*", text)
    if "*" in text:
        text = _stars(text)
    return text


def _addresses(text: str) -> str:
    """URLs, paths, mail addresses."""
    if "://" in text:
        text = _URL.sub("*", text)
    if "'" in text or '"' in text:
        text = _QUOTED_PATH.sub("*", text)
    if "\\" in text or ":/" in text:
        text = _WINDOWS_PATH.sub("*", text)
    if "/" in text:
        text = _RELATIVE_PATH.sub("*", _PATH.sub("*", text))
    if "@" in text:
        text = _MAIL.sub("*", text)
    return text


def _tokens(text: str) -> str:
    """Whatever holds a digit, with what is glued to it."""
    text = _TOKEN.sub("*", _SPAN.sub("*", text))
    if not text.isascii():
        text = _TOKEN_AFTER_OTHER.sub("*", text)
    return _HEX.sub("*", text)


def _stars(text: str) -> str:
    """Units, dates, lists and brackets of what is masked already."""
    text = _UNIT.sub("*", _PADDING.sub("*", text))
    text = _DATE.sub("*", text)
    if "," in text:
        text = _RUN.sub("*", text)
    if "*)" in text or "*]" in text:
        text = _BRACKETED.sub("*", text)
    return text
