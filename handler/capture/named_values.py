"""What an event is told besides its message: bound names, structlog's fields, `extra=`. Bounded texts under names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from tocsin.handler.capture import values
from tocsin.handler.capture.scrub import Scrubber

_NAMES, _LOOKED_AT = 20, 100
_NAME_TEXT, _TEXT = 100, 200
_OF_STRUCTLOG = frozenset(("_logger", "_name", "_record", "_from_structlog"))
"""Names under which structlog hands its own things to the standard library."""


_KEPT, _KEPT_TEXT = 4096, 64
"""Names and texts of which it is known that they can be shown, at most; characters of one."""
_SHORT_NUMBER = 10**11
"""A number below it has too few digits to be a secret by its shape."""


class Harmless:
    """Names whose values are no secrets, and texts that hold none: as they are shown, so none needs a second look.

    For any thread.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.texts: set[str] = set()

    def learn(self, shown: Mapping[str, str], given: Mapping[str, str], scrub: Scrubber) -> None:
        """What was shown as it was given."""
        if len(self.names) > _KEPT or len(self.texts) > _KEPT:
            self.names.clear()
            self.texts.clear()
        for name, text in given.items():
            # What `value` holds may be a secret by what stands beside it.
            if (
                len(name) > _KEPT_TEXT
                or shown.get(name) is not text
                or scrub.secret_name(name)
                or name == "value"
            ):
                continue
            self.names.add(name)
            if len(text) <= _KEPT_TEXT:
                self.texts.add(text)


class NamedValues:
    """Collects names and values in order; a name that is given again has the later value."""

    def __init__(self, harmless: Harmless) -> None:
        self.texts: dict[str, str] = {}
        self._harmless = harmless
        self._to_be_scrubbed = False
        self._dropped = 0

    def add(self, items: Iterable[tuple[Any, Any]], but: frozenset[str] = frozenset()) -> None:
        """All of these but some. A name may be anything that a dict has as a key."""
        pairs = list(items)
        texts, room = self.texts, values.ROOM
        names, harmless = self._harmless.names, self._harmless.texts
        for key, value in pairs[:_LOOKED_AT]:
            if type(key) is str and key in names and key not in but and len(texts) < _NAMES:
                cls = type(value)
                if cls is str and value in harmless:
                    texts[key] = value
                    continue
                number = (cls is int or cls is float) and -_SHORT_NUMBER < value < _SHORT_NUMBER
                if number or value is None or cls is bool:
                    texts[key] = repr(value)
                    continue
            self._to_be_scrubbed = True
            name = key if type(key) is str else values.exact(key) or values.render(key)
            if name in but or name in _OF_STRUCTLOG:
                continue
            if len(name) > _NAME_TEXT:
                name = values.shortened(name, _NAME_TEXT)
            if len(texts) >= _NAMES and name not in texts:
                self._dropped += 1
                continue
            text = value if type(value) is str else values.render(value)
            texts[name] = text if len(text) <= room else values.shortened(text, room)
        self._dropped += max(0, len(pairs) - _LOOKED_AT)

    def add_errors(self, arguments: object) -> None:
        """Type and text of the exceptions among a message's arguments."""
        items: Iterable[tuple[object, object]] = ()
        if type(arguments) is tuple:
            items = enumerate(arguments, 1)
        elif type(arguments) is dict:
            items = list(arguments.items())
        for name, value in islice(items, _LOOKED_AT):
            if issubclass(type(value), BaseException):
                text = f"{values.kind_of(value).name}: {values.error_text(value)}"  # type: ignore[arg-type]
                shown = name if type(name) is int or type(name) is str else values.render(name)
                self.add(((f"argument {shown}", text),))

    def shown(self, scrub: Scrubber) -> dict[str, str]:
        """Without secrets; at the end, how many names there were where some had no room."""
        if not self._to_be_scrubbed:
            return self.texts
        shown = scrub.pairs(self.texts)
        # What is printable is clean: neither NUL nor a lone surrogate is.
        short = max(map(len, shown.values()), default=0) <= _TEXT
        if not (short and all(map(str.isprintable, (*shown, *shown.values())))):
            shown = {
                values.clean(name): values.clean(values.shortened(text, _TEXT))
                for name, text in shown.items()
            }
        self._harmless.learn(shown, self.texts, scrub)
        if self._dropped:
            shown[values.CUT] = values.cut_mark(len(shown) + self._dropped, "names")
        return shown
