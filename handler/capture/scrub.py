"""Secrets out of text and out of named values, before anything is written to disk. Pure; knows no event.

Structure first: the name beside a value (`secret_names`), the column of a parameter (`secret_sql`). Then the
value's own shape (`secret_tokens`). Text is capped before any pattern sees it, and every pattern is linear: each
repetition is bounded, or begins only where no other match could have begun.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from tocsin.handler.capture import values
from tocsin.handler.capture.secret_names import (
    HARMLESS,
    NAMES,
    OTHER_NAME,
    bracketed_patterns,
    named_patterns,
)
from tocsin.handler.capture.secret_sql import scrub_parameters
from tocsin.handler.capture.secret_tokens import MARK, SHAPES, Replace, may_have_shape

__all__ = ["LIMIT", "MARK", "Scrubber", "innocent"]

LIMIT = 4096
"""Characters of one text that are looked at; of what is beyond its length is told."""

_MARGIN = 256
"""A secret that the cut goes through is not recognised any more: this much before the cut is dropped too."""
_ROUNDS = 8
"""A replacement may bare another secret's edge: so look again until nothing changes."""

_NAMES_KEPT = 4096
_NAME_TEXT = 64
_NAMING = ("name", "key", "field", "header", "option", "setting")
"""Variables that may hold the name of what stands in the variable `value` beside them."""


class Scrubber:
    """Takes secrets out. `extra_names`: more substrings of names whose values are secrets."""

    def __init__(self, extra_names: Iterable[str] = ()) -> None:
        extra = [re.escape(name.lower()) for name in extra_names if name.strip()]
        names = "|".join([NAMES, *extra])
        self._name = re.compile(names)
        self._extra = tuple(name.lower() for name in extra_names if name.strip())
        self._named = named_patterns(names)
        self._quoted = [pair for pair in self._named if "(?P<q>" in pair[0].pattern]
        self._bracketed = bracketed_patterns(names)
        self._known = _KnownNames(self._name)

    def secret_name(self, name: str) -> bool:
        """Is the value under this name a secret, whatever it looks like?"""
        return self._known[name]

    def text(self, text: str) -> str:
        """`text` without its secrets, each replaced by `[scrubbed]`; at most about `LIMIT` characters."""
        if len(text) > LIMIT:
            whole, unit = values.whole_of(text) or (len(text), "characters")
            return self.text(text[:LIMIT])[:-_MARGIN] + values.cut_mark(whole, unit)
        return text if innocent(text) else self.searched(text)

    def searched(self, text: str) -> str:
        """As `text`, of one that is no longer than `LIMIT` and not `innocent`."""
        lowered = text.lower()
        if not (self._may_be_named(lowered) or may_have_shape(text, lowered)):
            return text
        if "[parameters: " in text:
            text = scrub_parameters(text, self.secret_name)
        for _ in range(_ROUNDS):
            before, text = text, self._once(text)
            if text is before or text == before:
                break
        return text

    def _once(self, text: str) -> str:
        lowered = text.lower()
        if self._may_be_named(lowered):
            for pattern, replace in self._named:
                text = pattern.sub(replace, text)
        if may_have_shape(text, lowered):
            for pattern, replace in SHAPES:
                text = pattern.sub(replace, text)
        return text

    def code(self, source: str) -> str:
        """Source code without the secrets in its literals; names, calls and placeholders stay readable."""
        lowered = source.lower()
        if not (self._may_be_named(lowered) or may_have_shape(source, lowered)):
            return source
        for pattern in self._bracketed:
            source = pattern.sub(_items_of_code, source)
        for pattern, replace in self._quoted:
            source = pattern.sub(partial(_unless_placeholder, replace), source)
        return self.literal(_LITERAL.sub(lambda found: self.literal(found[0]), source), named=False)

    def literal(self, text: str, *, named: bool = True) -> str:
        """The text of a literal or a template without secrets; what is filled in later stays."""
        if named:
            for pattern, replace in self._named:
                text = pattern.sub(partial(_unless_placeholder, replace), text)
        for pattern, replace in SHAPES:
            text = pattern.sub(replace, text)
        return text

    def pairs(self, pairs: Mapping[str, str]) -> dict[str, str]:
        """Named texts without their secrets: by the name, else by what the text holds."""
        known = self._known
        secret = [name for name in pairs if known[name]]
        if self.names_its_value(pairs):
            secret.append("value")
        shown = dict(pairs)
        for name in secret:
            shown[name] = pairs[name] if pairs[name] in HARMLESS else MARK
        before = list(shown.values())
        after = self.texts(before)
        return shown if after is before else dict(zip(shown, after, strict=True))

    def texts(self, texts: list[str]) -> list[str]:
        """As `text`, each of them. Clean ones are told by one look at many together: most are."""
        together = "\x1e".join(texts)
        if len(together) <= LIMIT and not self._may_hold_secret(together):
            return texts
        if len(texts) == 1:
            return [self.text(together)]
        half = len(texts) // 2
        return self.texts(texts[:half]) + self.texts(texts[half:])

    def _may_hold_secret(self, text: str) -> bool:
        lowered = text.lower()
        return self._may_be_named(lowered) or may_have_shape(text, lowered)

    def lines(self, lines: Sequence[str]) -> tuple[str, ...]:
        """As `code`, of lines that follow each other: what one line begins may go on in the next."""
        together = tuple(self.code("\n".join(lines)).split("\n"))
        return together if len(together) == len(lines) else tuple(map(self.code, lines))

    def names_an_item(self, items: list[Any]) -> bool:
        """Whether an item is the name of a secret, so that the next one is its value: `["--password", "..."]`."""
        return any(
            type(item) is str and len(item) <= _NAME_TEXT and self.secret_name(item) for item in items[:-1]
        )

    def names_its_value(self, fields: Mapping[Any, Any]) -> bool:
        """Whether one of the fields is the name of a secret and another, `value`, is the secret itself."""
        if "value" not in fields:
            return False
        names = (fields[name] for name in _NAMING if name in fields)
        return any(type(name) is str and self.secret_name(name) for name in names)

    def _may_be_named(self, low: str) -> bool:
        """A cheap look, so that clean text costs next to nothing: no hint, no pattern."""
        if not (
            ("=" in low or ":" in low or "'" in low or '"' in low or ">" in low)
            or ("%3" in low or "\n" in low or " -" in low or "--" in low or "&" in low)
        ):
            return False
        # Each row begins with the one letter that many texts do not have.
        hint = (
            ("k" in low and ("key" in low or "token" in low or "cookie" in low))
            or ("w" in low and ("pwd" in low or "jwt" in low))
            or ("v" in low and ("private" in low or "cv" in low))
            or ("f" in low and ("srf" in low or "identified" in low))
            or ("p" in low and ("pass" in low or "mdp" in low or "otp" in low or "pin" in low))
            or ("secret" in low or "session" in low or "credential" in low or "auth" in low or "sid" in low)
            or ("=" in low and ("sig=" in low or "code=" in low))
            or (self._extra and any(name in low for name in self._extra))
        )
        return bool(hint) and (self._name.search(low) is not None or OTHER_NAME.search(low) is not None)


class _KnownNames(dict[str, bool]):
    """Whether the value under a name is a secret: each name is looked at once."""

    def __init__(self, secret: re.Pattern[str]) -> None:
        super().__init__()
        self._secret = secret

    def __missing__(self, name: str) -> bool:
        if len(self) >= _NAMES_KEPT:
            self.clear()
        known = self[name] = self._secret.search(_snake(name[:_MARGIN])) is not None
        return known


_PLAIN = r"[a-z \t,.;!?()\[\]#*\x80-\U0010ffff]*+"
_innocent = re.compile(rf"[^\0]?{_PLAIN}(?:[0-9]{{1,6}}+{_PLAIN}){{0,2}}+", re.DOTALL).fullmatch


def innocent(text: str) -> bool:
    """Whether nothing here can be a secret, told as cheaply as it can be: most messages are such.

    One line of words in lower case (but for the first letter), fewer digits than a card number has. A name needs
    a sign beside it, or the next line; a token needs signs, capitals, or `Bearer` and its like in front.
    """
    return _innocent(text) is not None and not (
        ("earer" in text or "asic" in text or "igest" in text)
        or ("oken" in text or "pikey" in text or "ya29" in text)
    )


def _snake(name: str) -> str:
    """`apiKey` and `API-Key` as `api_key`: parts told apart, lower case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_LITERAL = re.compile(r"\"(?:[^\"\\\n]|\\.){0,4096}\"|'(?:[^'\\\n]|\\.){0,4096}'")
_PLACEHOLDER = re.compile(r"%(?:\(\w{1,40}\))?[-+#0-9.]{0,8}[sdrfxig](?!\w)|\{[\w.\[\]]{0,80}(?:[!:}]|\Z)|\*")


_FIELD = re.compile(r"[a-z]+(?:_[a-z]+)*|[a-z.]+@[a-z.]+")


def _unless_placeholder(replace: Replace, match: re.Match[str]) -> str:
    """In source code `password=%s` and `{token}` are no secrets: what fills them in comes later."""
    value = match["value"]
    open_quote = "q" in match.re.groupindex and match["q"] != match.string[match.end() : match.end() + 1]
    if open_quote or _PLACEHOLDER.search(value) or not any(map(str.isalnum, value)):
        return match[0]
    return replace(match)


def _items_of_code(match: re.Match[str]) -> str:
    """The literals in a bracket under a secret's name; words that may be names of fields stay, but not of a pair."""
    start, end = match.span("value")
    items = [found.span() for found in _LITERAL.finditer(match.string, start, end)]
    parts: list[str] = []
    at = match.start()
    for number, (begin, stop) in enumerate(items, 1):
        text = match.string[begin + 1 : stop - 1]
        field = _FIELD.fullmatch(text) and not (number == len(items) == 2)
        if text in HARMLESS or field or _PLACEHOLDER.search(text) or not any(map(str.isalnum, text)):
            continue
        parts.append(match.string[at : begin + 1] + MARK)
        at = stop - 1
    return "".join(parts) + match.string[at : match.end()]
