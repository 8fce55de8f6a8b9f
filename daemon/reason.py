"""Why something failed: one value that is stored once and reads in the language of whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from tocsin.daemon.failure import Failed
from tocsin.daemon.language import language

Part = tuple[str, dict[str, Any]]


class Reason(str):
    """As a string it is English. `said` gives it in another language.

    Its parts are texts of the catalogue with `%(name)s` for what differs from case to case: a server's name, its
    own answer, a library's message, all of which are data and stay as they are.
    """

    __slots__ = ("parts",)

    parts: tuple[Part, ...]

    def __new__(cls, text: str, /, **facts: Any) -> Self:
        """A reason of one part; without facts, a `%` in the text is itself. A fact may be a reason again."""
        return cls._of(((text, facts),))

    @classmethod
    def _of(cls, parts: Iterable[Part]) -> Self:
        kept = tuple(parts)
        made = super().__new__(cls, _joined(kept, "en"))
        made.parts = kept
        return made

    @classmethod
    def joined(cls, *reasons: Reason) -> Self:
        """Several as sentences of one; empty ones add nothing."""
        return cls._of(part for reason in reasons if reason for part in reason.parts)

    @classmethod
    def read(cls, text: str, stored: Any) -> Self:
        """What was stored: its text, and its parts where they were stored too."""
        parts = [(str(one), dict(facts)) for one, facts in stored or ()]
        return cls._of(parts) if parts else cls(text)

    @property
    def stored(self) -> list[list[Any]]:
        """Its parts, as JSON holds them."""
        return [[text, facts] for text, facts in self.parts]

    def said(self, code: str) -> str:
        """In the language of that code."""
        return str(self) if code == "en" else _joined(self.parts, code)


def said(value: Any, code: str) -> Any:
    """A reason in the language of that code; any other value as it is."""
    return value.said(code) if isinstance(value, Reason) else value


def _joined(parts: Iterable[Part], code: str) -> str:
    # Of "" gettext gives the catalogue's header.
    gettext = language(code).gettext
    return ". ".join(
        gettext(text) % {name: said(fact, code) for name, fact in facts.items()} if facts else gettext(text)
        for text, facts in parts
        if text
    )


def failed(error: Failed) -> Reason:
    """Why something failed, from the exception that says so."""
    facts = {name: failed(fact) if isinstance(fact, Failed) else fact for name, fact in error.facts.items()}
    return Reason(error.text, **facts)


NONE = Reason("")
"""No reason: all is well, or nobody knows."""
