"""The local variables of an event's frames as text, and a call's arguments as plain data: both without secrets.

A value is written once, however many frames hold it, and secrets are looked for once, in all texts of an event
together: so nothing is shown before everything has been read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from tocsin.handler.capture import values
from tocsin.handler.capture.scrub import Scrubber
from tocsin.handler.capture.secret_names import HARMLESS
from tocsin.handler.capture.secret_tokens import MARK

_VARIABLES = 20
"""Of one frame, at most."""
_TEXT, _NAME_TEXT = 200, 100
_SHORT_NUMBER = 10**11
"""A whole number below it has too few digits to be a secret by its shape."""
_NAMES_KEPT = 4096
_ARGUMENT_TEXT = 2000
_ARGUMENT_NODES = 200
_ARGUMENT_DEPTH = 4

NameTest = Callable[[str], object]
Correct = Callable[[list[str]], None]


class VariableNames(dict[str, tuple[str, bool]]):
    """What is known of variables' names: (as it is shown, "" where it is not; is its value a secret)."""

    def __init__(self, scrub: Scrubber) -> None:
        super().__init__()
        self._scrub = scrub

    def learn(self, name: str) -> tuple[str, bool]:
        """Looks at a name that is not known yet."""
        if len(self) >= _NAMES_KEPT:
            self.clear()
        shown = "" if name.startswith("__") else values.clean(values.shortened(name, _NAME_TEXT))
        known = self[name] = shown, self._scrub.secret_name(shown)
        return known


class LocalVariables:
    """Those of one event's frames."""

    def __init__(self, names: VariableNames, scrub: Scrubber) -> None:
        self._names = names
        self._scrub = scrub
        self._written: dict[int, tuple[object, str]] = {}
        """The texts of values by their ids, which stay their own as long as the values are held here."""
        self._texts: list[str] = []
        """Those in which secrets have to be looked for."""
        self._frames: list[tuple[dict[str, str], dict[str, str]]] = []
        """Of each frame what `of` gave, and what `finish` fills it with."""
        self._others: list[tuple[list[str], Correct]] = []

    def of(self, held: Mapping[str, Any], hidden: NameTest | None) -> dict[str, str]:
        """A frame's variables by name, filled in by `finish`. `hidden`: names that are not the application's own."""
        found: dict[str, str] = {}
        names, written = self._names, self._written
        count = 0
        for name, value in list(held.items()):
            cls = type(value)
            if type(name) is not str or cls is ModuleType:
                continue
            shown, secret = names.get(name) or names.learn(name)
            if not shown or (hidden is not None and hidden(name)):
                continue
            count += 1
            if count > _VARIABLES:
                continue
            if secret:
                found[shown] = _harmless(values.render(value))
            elif value is None or cls is bool or (cls is int and -_SHORT_NUMBER < value < _SHORT_NUMBER):
                found[shown] = repr(value)
            elif (known := written.get(id(value))) is not None:
                found[shown] = known[1]
            else:
                text = repr(value) if cls is str and len(value) <= _TEXT else values.render(value)
                written[id(value)] = value, text
                self._texts.append(text)
                found[shown] = text
        if "value" in found and self._scrub.names_its_value(found):
            found["value"] = _harmless(found["value"])
        if count > _VARIABLES:
            found[values.CUT] = values.cut_mark(count, "variables")
        given: dict[str, str] = {}
        self._frames.append((given, found))
        return given

    def add(self, texts: list[str], correct: Correct) -> None:
        """Has secrets looked for in more texts; `correct` is called with them if they are not as they were then."""
        self._others.append((texts, correct))

    def finish(self) -> None:
        """Fills in what `of` gave, without secrets and no longer than it is shown, and has the rest corrected."""
        own, others = self._texts, self._others
        before = own + [text for texts, _ in others for text in texts]
        after = self._scrub.texts(before)
        if after is not before:
            at = len(own)
            for texts, correct in others:
                begin, at = at, at + len(texts)
                if after[begin:at] != texts:
                    correct(after[begin:at])
        shown = {
            raw: values.clean(values.shortened(text, _TEXT))
            for raw, text in zip(own, after, strict=False)
            if text is not raw or len(text) > _TEXT or not text.isprintable()
        }
        for given, found in self._frames:
            given.update(found)
            if shown:
                given.update((name, shown[text]) for name, text in found.items() if text in shown)


def arguments_of(
    held: Mapping[str, Any], parameters: tuple[str, ...] | None, scrub: Scrubber
) -> tuple[dict[str, Any], list[str]] | None:
    """A call's arguments, when every one is plain data and none by its name a secret: they can be replayed. Then the
    texts in them, in which secrets are still to be looked for.
    """
    if parameters is None:
        return None
    reading = _Arguments(scrub)
    try:
        found = {name: reading.plain(name, held[name], _ARGUMENT_DEPTH) for name in parameters}
    except (_NotPlain, KeyError, RuntimeError):
        return None
    together = "\n".join(reading.texts)
    return (found, reading.texts) if values.clean(together) == together else None


class _NotPlain(Exception):
    """An argument that cannot be written down and read back as it was."""


class _Arguments:
    """The arguments of one call, and the texts in them: secrets are looked for in all of these together."""

    def __init__(self, scrub: Scrubber) -> None:
        self._scrub = scrub
        self._left = _ARGUMENT_NODES
        self.texts: list[str] = []

    def plain(self, name: str, value: Any, depth: int) -> Any:
        """The value under a name, as it is. Raises _NotPlain."""
        self._left -= 1
        cls = type(value)
        if self._left < 0 or depth < 0:
            raise _NotPlain
        if value is None or cls is bool or cls is float:
            return value
        if cls is int:
            if -(2**63) <= value < 2**63 and not self._scrub.secret_name(name):
                return value
        elif cls is str:
            if len(value) <= _ARGUMENT_TEXT and not self._scrub.secret_name(name):
                self.texts.append(value)
                return value
        elif cls is list:
            if not self._scrub.names_an_item(value):
                return [self.plain(name, item, depth - 1) for item in value[:_ARGUMENT_NODES]]
        elif cls is dict and len(value) <= _ARGUMENT_NODES and not self._scrub.names_its_value(value):
            return {self._key(k): self.plain(k, v, depth - 1) for k, v in list(value.items())}
        raise _NotPlain

    def _key(self, key: object) -> str:
        if type(key) is str and len(key) <= _TEXT:
            self.texts.append(key)
            return key
        raise _NotPlain


def _harmless(text: str) -> str:
    return text if text in HARMLESS else MARK
