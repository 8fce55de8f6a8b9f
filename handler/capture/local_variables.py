"""The local variables of an event's frames as text, without secrets.

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


def _harmless(text: str) -> str:
    return text if text in HARMLESS else MARK
