"""Secrets among the positional parameters that SQLAlchemy prints below a statement.

`[SQL: INSERT INTO users (name, password) VALUES (?, ?)]` and `[parameters: ('bob', 'hunter2')]`: the name of a
parameter is the column that its placeholder stands for. Where the two do not add up, and a column is a secret, all
parameters are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tocsin.handler.capture.secret_tokens import MARK

_STATEMENT = "[SQL: "
_PARAMETERS = "[parameters: "
_REPEATED = 6
"""Characters of a value, at least, that is taken out of the rest of the text, too: a short one is there by chance."""

_STRING = r"'(?:[^'\\]|\\.)*+(?:'|\Z)|\"(?:[^\"\\]|\\.)*+(?:\"|\Z)"
_PIECE = re.compile(
    rf"(?P<string>{_STRING})|(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<comma>,)|[^'\"()\[\]{{}},]+", re.DOTALL
)
_TOKEN = re.compile(
    r"(?P<mark>\?|%s|\$(?P<number>\d{1,4})|:(?P<numeric>\d{1,4})(?!\w)|\[scrubbed\])"
    r"|(?P<literal>'(?:[^'])*+')|(?P<name>[\"`]?[A-Za-z_][\w.$]*+[\"`]?)|(?P<open>\()|(?P<close>\))|(?P<comma>,)"
)
_COLUMNS = re.compile(r"\binto\s{1,8}[^\s(]{1,200}\s{0,8}\(([^()]{1,3000})\)", re.IGNORECASE)
_CLAUSES = frozenset(
    (
        "and",
        "from",
        "having",
        "join",
        "limit",
        "offset",
        "on",
        "or",
        "order",
        "returning",
        "select",
        "set",
        "where",
    )
)

SecretName = Callable[[str], bool]


def scrub_parameters(text: str, secret_name: SecretName) -> str:
    """`text` without the parameters whose columns are secrets."""
    start = text.find(_STATEMENT)
    given = text.find(_PARAMETERS, start)
    if start < 0 or given < 0:
        return text
    statement = text[start + len(_STATEMENT) : given]
    begin = given + len(_PARAMETERS)
    secret = _placeholders(statement, secret_name)
    if not any(secret) or text[begin : begin + 1] not in ("(", "["):
        return text
    spans = _secret_spans(text, begin, secret)
    if spans is None:
        stop = text.find("]\n", begin)
        return text[:begin] + MARK + (text[stop:] if stop >= 0 else "]")
    return _without(text, spans)


def _placeholders(statement: str, secret_name: SecretName) -> list[bool]:
    """Of each placeholder, in order of the parameters: does it stand for a secret?"""
    walk = _Walk(statement, secret_name)
    for token in _TOKEN.finditer(statement):
        walk.step(token)
    return walk.placeholders()


class _Walk:
    """A statement read from left to right: which names each placeholder stands for."""

    def __init__(self, statement: str, secret_name: SecretName) -> None:
        found = _COLUMNS.search(statement)
        names = found[1].split(",") if found else []
        self._columns = [secret_name(name.replace("\\n", " ").strip(' "`\n')) for name in names]
        self._secret_name = secret_name
        self._found: dict[int, bool] = {}
        self._depth = 0
        self._row: int | None = None
        """The depth of the rows after VALUES; the column within the row is counted there."""
        self._column = 0
        self._names_secret = False
        self._comma = False

    def placeholders(self) -> list[bool]:
        return [self._found.get(number, False) for number in range(max(self._found, default=-1) + 1)]

    def step(self, token: re.Match[str]) -> None:
        kind = token.lastgroup
        if token["mark"]:
            self._note(token)
        elif kind == "open":
            self._depth += 1
            if self._row == -1:
                self._row = self._depth
            if self._depth == self._row:
                self._column = 0
        elif kind == "close":
            self._depth -= 1
        elif kind == "comma":
            self._comma = True
            self._column += self._depth == self._row
        elif kind == "name":
            self._name(token[0])

    def _name(self, word: str) -> None:
        lowered = word.lower()
        if lowered == "values":
            self._row = -1
        elif lowered in _CLAUSES:
            self._row, self._names_secret, self._comma = None, False, False
        else:
            if self._comma:
                self._names_secret, self._comma = False, False
            self._names_secret |= self._secret_name(word.strip('"`'))

    def _note(self, token: re.Match[str]) -> None:
        number = token["number"] or token["numeric"]
        index = int(number) - 1 if number else len(self._found)
        secret = self._names_secret
        if self._row is not None and self._column < len(self._columns):
            secret = self._columns[self._column]
        self._found[index] = secret or self._found.get(index, False)


def _secret_spans(text: str, begin: int, secret: list[bool]) -> list[tuple[int, int]] | None:
    """Where the secret parameters stand; None where statement and parameters do not fit together."""
    spans: list[tuple[int, int]] = []
    for row in _rows(text, begin):
        if row is None or len(row) != len(secret):
            return None
        spans.extend(span for span, hidden in zip(row, secret, strict=True) if hidden)
    return spans or None


def _rows(text: str, begin: int) -> list[list[tuple[int, int]] | None]:
    """The items of each row of parameters, as spans; None for a row that is cut off or shortened."""
    many = text[begin] == "["
    level = 2 if many else 1
    rows: list[list[tuple[int, int]] | None] = []
    items: list[tuple[int, int]] = []
    depth, start = 0, begin
    for piece in _PIECE.finditer(text, begin):
        kind = piece.lastgroup
        if kind == "open":
            depth += 1
            if depth == level:
                items, start = [], piece.end()
        elif kind == "close":
            if depth == level:
                rows.append(_finished(text, items, (start, piece.start())))
            depth -= 1
            if depth == 0:
                return rows
        elif kind == "comma" and depth == level:
            items.append((start, piece.start()))
            start = piece.end()
    return [*rows, None]


def _finished(text: str, items: list[tuple[int, int]], last: tuple[int, int]) -> list[tuple[int, int]] | None:
    found = [*items, last] if text[slice(*last)].strip() else items
    if any("parameters truncated" in text[slice(*span)] for span in found):
        return None
    return found


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    values: list[str] = []
    at = 0
    for start, end in spans:
        item = text[start:end]
        value = item.strip()
        if value in ("None", MARK):
            continue
        inner = value.lstrip("bru").strip("\"'")
        if len(inner) >= _REPEATED:
            values.append(inner)
        parts.append(text[at:start] + item[: len(item) - len(item.lstrip())] + MARK)
        at = end
    text = "".join(parts) + text[at:]
    for value in values:
        text = text.replace(value, MARK)
    return text
