"""What Python source says: canonical statements and the templates of logging calls. Pure: text in, text out.

The canonical form is made from the text by a scanner of our own, not by `ast.unparse` or `tokenize`, whose
output differs between Python versions; the syntax tree only tells where a statement begins and ends.
"""

from __future__ import annotations

import ast
import re
from typing import Any, NamedTuple

STATEMENT_LIMIT = 400
TEMPLATE_LIMIT = 1000
_SCANNED = 4000
"""Characters of one statement that are looked at, at most."""

_TOKEN = re.compile(
    r"""
    (?P<space>(?:\s|\\\r?\n)++ | \#[^\n]*+)
  | (?P<string>(?i:rb|br|fr|rf|[rbfut])?+
        (?:\"{3}(?:[^\\"]|\\.|"(?!""))*+\"{3} | '{3}(?:[^\\']|\\.|'(?!''))*+'{3}
          | "(?:[^"\\\n]|\\.)*+" | '(?:[^'\\\n]|\\.)*+'))
  | (?P<number>0[xXoObB][0-9a-fA-F_]++ | (?:\d[\d_]*+\.?[\d_]*+|\.\d[\d_]*+)(?:[eE][+-]?\d++)?+[jJ]?+)
  | (?P<name>[^\W\d]\w*+)
  | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = frozenset((
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
    "or", "pass", "raise", "return", "try", "while", "with", "yield",
))  # fmt: skip
"""Words before a parenthesis that is no call's. Written out: the running Python's list may grow."""

_BLANK = re.compile(r"\s++")
_FIELD_MARKS = re.compile(r"\{\{|\}\}|[{}]|[^{}]++")
_ODD_ESCAPE = re.compile(r"\\(?:\\|[^\\\n\r'\"abfnrtv0-7xNuU])")
_PERCENT = re.compile(
    r"%(?:\([^)]{0,100}\))?[-#0 +]{0,5}(?:\*|\d{0,5})(?:\.(?:\*|\d{0,5}))?[hlL]?([%a-zA-Z])"
)
_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]{0,100}(?:\{[^{}]{0,20}\}[^{}]{0,20})?\}")

_METHODS = (
    "debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg", "success",
)  # fmt: skip
_LOGGING = frozenset((*_METHODS, *(f"a{name}" for name in _METHODS)))
_GETTEXT = {
    "_": 0, "gettext": 0, "ugettext": 0, "gettext_lazy": 0, "lazy_gettext": 0, "gettext_noop": 0,
    "ngettext": 0, "ngettext_lazy": 0, "dgettext": 1, "pgettext": 1, "pgettext_lazy": 1, "npgettext": 1,
}  # fmt: skip
"""gettext's functions, and which of their arguments is the message."""
_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
_MESSAGE_KEYWORDS = frozenset(("msg", "message", "event"))


class Template(NamedTuple):
    """The literal text of a logging call, variable parts as `*`."""

    text: str
    translated: bool
    """It is the argument of a gettext call: what is logged may be in another language."""


class _Span(NamedTuple):
    """A statement, a clause (`except`, `case`) or a decorator: the lines it covers, where its header lies."""

    first: int
    last: int
    depth: int
    start: tuple[int, int]
    stop: tuple[int, int]


class _Logged(NamedTuple):
    """A call that has a template."""

    first: int
    last: int
    start: int
    logging: bool
    template: Template


class Source:
    """A parsed text. Raises SyntaxError, ValueError, RecursionError or MemoryError for what is no Python."""

    def __init__(self, text: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.lines = text.split("\n")
        self._spans: list[_Span] = []
        self._calls: list[_Logged] = []
        # An invalid escape would print a SyntaxWarning in the application; an equal length keeps the columns.
        plain = _ODD_ESCAPE.sub(lambda found: found[0] if found[0] == "\\\\" else "x" + found[0][1], text)
        self._survey(ast.parse(plain))

    def statement(self, line: int) -> str | None:
        """Canonical form of the smallest statement around the line, its header only where it has a body."""
        around = [span for span in self._spans if span.first <= line <= span.last]
        if not around:
            return None
        span = min(around, key=lambda one: (-one.depth, one.start))
        return canonical(self._between(span.start, span.stop)) or None

    def template(self, line: int) -> Template | None:
        """The template of the logging call that covers the line; else of a call that is a whole statement."""
        around = [call for call in self._calls if call.first <= line <= call.last]
        if not around:
            return None
        return min(around, key=lambda one: (not one.logging, one.last - one.first, one.start)).template

    def _survey(self, tree: ast.Module) -> None:
        waiting: list[tuple[Any, int]] = [(tree, 0)]
        while waiting:
            node, depth = waiting.pop()
            if isinstance(node, _STATEMENTS):
                self._note_statement(node, depth)
                depth += 1
            if isinstance(node, ast.Call):
                self._note_call(node, _name(node.func) in _LOGGING)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                self._note_call(node.value, False)
            for name in node._fields:
                value = getattr(node, name, None)
                for child in value if isinstance(value, list) else (value,):
                    if isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                        waiting.append((child, depth))

    def _note_statement(self, node: ast.stmt | ast.ExceptHandler | ast.match_case, depth: int) -> None:
        start = self._start(node)
        last = getattr(node, "end_lineno", None) or start[0]
        stop = (last, getattr(node, "end_col_offset", None) or 0)
        if isinstance(node, ast.match_case):
            last = node.body[-1].end_lineno or start[0]
        inner = node.cases if isinstance(node, ast.Match) else getattr(node, "body", None)
        if inner:
            stop = self._start(inner[0], decorated=True)
        self._spans.append(_Span(start[0], last, depth, start, stop))
        for decorator in getattr(node, "decorator_list", ()):
            end = (decorator.end_lineno or decorator.lineno, decorator.end_col_offset or 0)
            begin = (decorator.lineno, self._lead(decorator.lineno))
            self._spans.append(_Span(decorator.lineno, end[0], depth + 1, begin, end))

    def _start(self, node: ast.AST, *, decorated: bool = False) -> tuple[int, int]:
        """(line, UTF-8 column) where the node's text begins; with its decorators when asked."""
        if isinstance(node, ast.match_case):
            line = node.pattern.lineno
            while line > 1 and not self.lines[line - 1].lstrip().startswith("case"):
                line -= 1
            return line, self._lead(line)
        decorators = getattr(node, "decorator_list", None)
        if decorated and decorators:
            return decorators[0].lineno, self._lead(decorators[0].lineno)
        return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)

    def _lead(self, line: int) -> int:
        text = self.lines[line - 1]
        return len(text) - len(text.lstrip())

    def _between(self, start: tuple[int, int], stop: tuple[int, int]) -> str:
        """The text from start up to stop, columns in bytes of UTF-8, at most `_SCANNED` characters."""
        lines = self.lines[start[0] - 1 : min(stop[0], start[0] + _SCANNED)]
        if not lines:
            return ""
        if stop[0] == start[0] + len(lines) - 1:
            lines[-1] = lines[-1].encode()[: stop[1]].decode(errors="ignore")
        lines[0] = lines[0].encode()[start[1] :].decode(errors="ignore")
        return "\n".join(lines)[:_SCANNED]

    def _note_call(self, node: ast.Call, logging: bool) -> None:
        try:
            template = _template(node)
        except RecursionError:
            return
        if template is not None:
            last = node.end_lineno or node.lineno
            self._calls.append(_Logged(node.lineno, last, node.col_offset, logging, template))


class Lines:
    """A text that is no Python, such as a template: it has lines, and neither statements nor templates of calls."""

    def __init__(self, text: str) -> None:
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def statement(self, line: int) -> str | None:
        return None

    def template(self, line: int) -> Template | None:
        return None


def parsed(text: str) -> Source | None:
    """`Source(text)`, or None for what cannot be parsed."""
    try:
        return Source(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def statement_of(source: Source | str, line: int) -> str | None:
    """Canonical form of the smallest statement around the line, at most 400 characters; None without one."""
    whole = parsed(source) if isinstance(source, str) else source
    return whole.statement(line) if whole else None


def template_of(source: Source | str, line: int) -> str | None:
    """Template of the logging call that covers the line; None when its text is not visible in the source."""
    whole = parsed(source) if isinstance(source, str) else source
    found = whole.template(line) if whole else None
    return found.text if found else None


def canonical(text: str) -> str:
    """Source text without comments and white space, as no formatter changes it, in 400 characters at most.

    `'` becomes `"`, adjacent literals are joined, trailing commas and parentheses that only group go, and
    one blank is left where two words would touch. Any text will do, broken Python too.
    """
    tokens = [
        (found.lastgroup, found[0])
        for found in _TOKEN.finditer(text[:_SCANNED])
        if found.lastgroup != "space"
    ]
    soft = tokens[0][1] if tokens and tokens[-1][1] == ":" and tokens[0][1] in ("match", "case") else None
    kept: list[tuple[str | None, str]] = []
    groups: list[bool] = []
    before = ("mark", "")
    for index, (kind, word) in enumerate(tokens):
        if word in ")]}=:" or word == "in":
            _drop_comma(kept)
        if word == "(":
            calls = (
                before[0] == "name" and before[1] not in _KEYWORDS and not (before[1] == soft and index == 1)
            )
            empty = index + 1 < len(tokens) and tokens[index + 1][1] == ")"
            keep = not _base_less(kept, empty) and (calls or before[1] in (")", "]", "}") or empty)
            groups.append(keep)
        elif word == ")":
            keep = groups.pop() if groups else True
        else:
            keep = True
        if keep:
            _append(kept, kind, word)
        before = (kind or "", word)
    _drop_comma(kept)
    return _joined(kept)[:STATEMENT_LIMIT]


def _base_less(kept: list[tuple[str | None, str]], empty: bool) -> bool:
    """Is this the `()` of `class Name():`?"""
    return empty and len(kept) >= 2 and kept[-2][1] == "class"


def _drop_comma(kept: list[tuple[str | None, str]]) -> None:
    if kept and kept[-1][1] == ",":
        kept.pop()


def _append(kept: list[tuple[str | None, str]], kind: str | None, word: str) -> None:
    if kind == "number":
        word = _number(word.lower())
    if kind == "string":
        prefix, body = _literal(word)
        other = _literal(kept[-1][1]) if kept and kept[-1][0] == "string" else None
        if other is not None and ("r" in other[0]) == ("r" in prefix):
            kept.pop()
            prefix, body = _together(other, (prefix, body))
        word = f'{prefix}"{body}"'
    kept.append((kind, word))


def _number(word: str) -> str:
    """Formatters write `0.5` for `.5` and `5.0` for `5.`."""
    word = "0" + word if word[0] == "." else word.replace(".e", ".0e").replace("e+", "e")
    return word + "0" if word[-1] == "." else word


def _together(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """Two adjacent literals as one; beside an f-string the braces of a plain one are doubled."""
    prefix = "".join(sorted({*one[0], *other[0]}))
    if ("f" in one[0]) != ("f" in other[0]):
        one, other = (
            part if "f" in part[0] else (part[0], part[1].replace("{", "{{").replace("}", "}}"))
            for part in (one, other)
        )
    return prefix, one[1] + other[1]


def _literal(word: str) -> tuple[str, str]:
    """(prefix, body) of a string literal, quotes told apart no more."""
    start = min(word.find(quote) % (len(word) + 1) for quote in "\"'")
    prefix, rest = "".join(sorted(word[:start].lower().replace("u", ""))), word[start:]
    size = 3 if len(rest) >= 6 and rest[:3] in ('"""', "'''") else 1
    body = rest[size:-size].replace("\\'", "'").replace('\\"', '"').replace("'", '"')
    return prefix, _fields_squeezed(body) if "f" in prefix else body


def _fields_squeezed(body: str) -> str:
    """The body of an f-string without the white space in its replacement fields: some formatters set it."""
    if "{" not in body or not _BLANK.search(body):
        return body
    parts: list[str] = []
    depth = 0
    for part in _FIELD_MARKS.findall(body):
        if part == "{{" and depth:
            depth += 2
        elif part == "}}" and depth:
            depth = max(0, depth - 2)
        elif part == "{":
            depth += 1
        elif part == "}":
            depth = max(0, depth - 1)
        parts.append(_BLANK.sub("", part) if depth else part)
    return "".join(parts)


def _joined(tokens: list[tuple[str | None, str]]) -> str:
    parts: list[str] = []
    before: str | None = None
    for kind, word in tokens:
        if before in ("name", "number") and kind in ("name", "number", "string"):
            parts.append(" ")
        parts.append(word)
        before = kind
    return "".join(parts).replace("'", '"')


def percent(text: str) -> str:
    """A %-style format with its placeholders as `*`."""
    return _PERCENT.sub(lambda found: "%" if found[1] == "%" else "*", text)


def braces(text: str) -> str:
    """A `str.format` format with its fields as `*`."""
    return _BRACES.sub(lambda found: found[0][0] if found[0] in ("{{", "}}") else "*", text)


def _template(call: ast.Call) -> Template | None:
    """The template of a call's message argument: the first, or for `log(level, ...)` the second."""
    arguments = call.args
    if _name(call.func) == "log" and len(arguments) > 1:
        arguments = arguments[1:]
    if arguments:
        message: ast.expr | None = arguments[0]
    else:
        message = next((one.value for one in call.keywords if one.arg in _MESSAGE_KEYWORDS), None)
    text = _text(message) if message is not None else None
    if message is None or text is None:
        return None
    if len(arguments) > 1:
        formatted = percent(text)
        text = formatted if formatted != text else braces(text)
    if not text.strip(" *"):
        return None
    translated = any(isinstance(one, ast.Call) and _name(one.func) in _GETTEXT for one in ast.walk(message))
    return Template(text[:TEMPLATE_LIMIT], translated)


def _text(node: ast.expr) -> str | None:
    """The literal text in an expression, variable parts as `*`; None when there is none."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(one.value) if isinstance(one, ast.Constant) else "*" for one in values)
        case ast.BinOp(left=left, op=ast.Mod()):
            inner = _text(left)
            return None if inner is None else percent(inner)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            ends = _text(left), _text(right)
            return None if ends == (None, None) else "".join("*" if one is None else one for one in ends)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            inner = _text(value)
            return None if inner is None else braces(inner)
        case ast.Call(func=func, args=args) if (index := _GETTEXT.get(_name(func), 99)) < len(args):
            return _text(args[index])
    return None


def _name(func: ast.expr) -> str:
    """The last name of what is called."""
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""
