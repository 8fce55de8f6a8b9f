"""An exception, its chain and its frames as `Raised`: an own bounded walk, nothing formatted, no file read.

Attributes of exceptions are read through BaseException's own descriptors, so that a class which defines
`__cause__` or `__traceback__` as a property runs no code here.
"""

from __future__ import annotations

import errno
import inspect
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any, Literal

from msgspec import structs

from tocsin.handler.capture import values
from tocsin.handler.capture.call_data import arguments_of, call_of, has_state
from tocsin.handler.capture.inapp import in_app, is_notebook
from tocsin.handler.capture.local_variables import LocalVariables, VariableNames
from tocsin.handler.capture.members import (
    LEAVES,
    Member,
    Members,
    following,
    is_group,
    leaves,
    root_of,
    traceback_of,
)
from tocsin.handler.capture.scrub import LIMIT, Scrubber
from tocsin.handler.protocol.event import Frame, Raised, Syntax

FRAMES = 50
"""Frames kept of one exception: its outermost and innermost halves."""
CHAIN = 12
"""Links of causes and contexts followed."""

_FRAMES_OF_OTHERS = 20
_OTHERS = 20
_OTHER_TEXT = 200
_RECURSION_FRAMES = 1000
_NODES = 48
_LOCALS_FRAMES = 5
_CODES_KEPT = 2048

_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")
_HIDING = "__tracebackhide__"

_errno_of: Callable[[object], object] = OSError.__dict__["errno"].__get__
_syntax_of: tuple[Callable[[object], object], ...] = tuple(
    SyntaxError.__dict__[name].__get__ for name in ("filename", "msg", "text")
)


_SHELL = re.compile(r"_|(?:In|Out|exit|quit|open|get_ipython)\Z").match


class Code:
    """What is known of one code object, read once; it keeps the code alive, so that its id stays its own."""

    __slots__ = (
        "code",
        "comprehension",
        "frames",
        "function",
        "hides",
        "identity",
        "in_app",
        "module",
        "nested",
        "of_shell",
        "parameters",
        "path",
    )

    def __init__(self, code: CodeType, module: str, ours: bool) -> None:
        self.code = code
        self.path = values.clean(values.shortened(code.co_filename, 1024))
        self.module = module
        self.function = values.clean(values.shortened(_name_of(code).replace("<locals>.", ""), 300))
        self.in_app = ours
        self.comprehension = code.co_name in _COMPREHENSIONS
        self.hides = _HIDING in code.co_varnames or _HIDING in code.co_cellvars
        self.identity = hash((code.co_filename, _name_of(code), code.co_firstlineno))
        self.nested = "<" in _name_of(code)
        """Whether it is made anew each time, so that nobody else can call it: a lambda, an inner function."""
        self.parameters = _parameters(code)
        self.frames: dict[int, Frame] = {}
        """Frames that show no variables, by their lines."""
        # A notebook's module holds what its shell put there: earlier cells with their results, and helpers.
        self.of_shell = _SHELL if code.co_name == "<module>" and is_notebook(code.co_filename) else None

    def frame(self, line: int) -> Frame:
        """A call at this line, without variables."""
        known = self.frames[line] = Frame(self.path, self.module, self.function, line)
        return known


class Caught:
    """The exception of one record. `texts`: those along its chain by the exceptions' ids, asked for once."""

    __slots__ = ("error", "named", "texts", "traceback")

    def __init__(self, error: BaseException, traceback: object, named: str = "") -> None:
        self.error = error
        self.named = named
        """Its type where the exception itself was not given: `error` only holds its text."""
        # The record's own is of its moment: the exception's goes on growing while it is raised further.
        self.traceback = traceback if type(traceback) is TracebackType else traceback_of(error)
        self.texts: dict[int, str] = {}


class Calls(list[tuple[TracebackType, Code]]):
    """The calls of one exception, outermost first; of a very deep one the middle is `passed` over."""

    passed = 0


class Traces:
    """Reads exceptions. Not bound to a thread: what it keeps are facts of code objects, in a bounded dict."""

    def __init__(
        self,
        *,
        locals: Literal["in_app", "none"],
        in_app: tuple[str, ...],
        not_in_app: tuple[str, ...],
        scrub: Scrubber,
    ) -> None:
        self._with_locals = locals == "in_app"
        self._in_app = in_app
        self._not_in_app = not_in_app
        self._scrub = scrub
        self._codes: dict[int, Code] = {}
        self._names = VariableNames(scrub)

    def identity(self, seen: Caught) -> int:
        """A hash of the exception's types, texts and frames, along its chain and into its groups."""
        parts: list[object] = [seen.named]
        texts = seen.texts
        node: BaseException | None = seen.error
        traceback = seen.traceback
        for _ in range(1 + CHAIN):
            if node is None:
                break
            self._identify(node, traceback, parts, texts)
            if is_group(node):
                for leaf in islice(leaves(node), LEAVES):
                    self._identify(leaf, traceback_of(leaf), parts, texts)
            node = following(node)[0]
            traceback = traceback_of(node) if node is not None else None
        if node is not None:
            root = root_of(node, set())[0]
            self._identify(root, traceback_of(root), parts, texts)
        return hash(tuple(parts))

    def raised(self, seen: Caught) -> Raised:
        """The exception with its chain. Size: bounded, yet `fit` may have to shorten it."""
        variables = LocalVariables(self._names, self._scrub)
        raised = _Reading(self, seen.texts, variables).raised(seen.error, seen.traceback, CHAIN, FRAMES)
        variables.finish()
        return structs.replace(raised, type=seen.named) if seen.named else raised

    def calls(self, traceback: TracebackType | None) -> Calls:
        """The calls of a traceback."""
        calls = Calls()
        codes, learn = self._codes, self._learn
        for _ in range(_RECURSION_FRAMES):
            if traceback is None:
                return calls
            frame = traceback.tb_frame
            calls.append((traceback, codes.get(id(frame.f_code)) or learn(frame)))
            traceback = traceback.tb_next
        tail: deque[TracebackType] = deque(maxlen=_RECURSION_FRAMES)
        passed = 0
        while traceback is not None:
            tail.append(traceback)
            passed += 1
            traceback = traceback.tb_next
        calls.passed = passed - len(tail)
        calls += [(one, codes.get(id(one.tb_frame.f_code)) or learn(one.tb_frame)) for one in tail]
        return calls

    def _identify(
        self, node: BaseException, traceback: TracebackType | None, parts: list[object], texts: dict[int, str]
    ) -> None:
        # One character more than is shown: the scrubber has to know that there was a cut.
        text = values.shortened(values.error_text(node), LIMIT + 1)
        texts[id(node)] = text
        parts.append(values.kind_of(node).name)
        parts.append(text)
        codes = self._codes
        count = 0
        while traceback is not None:
            count += 1
            if count > FRAMES:
                for deep, code in self.calls(traceback)[-FRAMES:]:
                    parts.append(code.identity)
                    parts.append(deep.tb_lasti)
                break
            frame = traceback.tb_frame
            parts.append((codes.get(id(frame.f_code)) or self._learn(frame)).identity)
            parts.append(traceback.tb_lasti)
            traceback = traceback.tb_next

    def _learn(self, frame: FrameType) -> Code:
        code = frame.f_code
        name = values.exact(dict.get(frame.f_globals, "__name__")) or ""
        module = values.clean(values.shortened(name, 300))
        ours = in_app(code.co_filename, module, self._in_app, self._not_in_app)
        if len(self._codes) >= _CODES_KEPT:
            self._codes.clear()
        known = self._codes[id(code)] = Code(code, module, ours)
        return known


_NOTES = 8
"""Notes of one exception that are kept, at most."""


class _Reading:
    """One record's exceptions: what has been seen and how much room is left."""

    def __init__(self, traces: Traces, texts: dict[int, str], variables: LocalVariables) -> None:
        self._traces = traces
        self._texts = texts
        self._variables = variables
        self._seen: set[int] = set()
        self._nodes = _NODES
        self._locals = 2 * _LOCALS_FRAMES if traces._with_locals else 0

    def raised(
        self,
        error: BaseException,
        traceback: TracebackType | None,
        links: int,
        room: int,
        skipped: int | None = None,
        within: tuple[Member, Members] | None = None,
    ) -> Raised:
        """One exception with what it came from and what it holds. `within`: of a group in a group, what is kept."""
        self._seen.add(id(error))
        self._nodes -= 1
        cls = type(error)
        calls = self._traces.calls(traceback)
        frames, omitted = self._frames(calls, room)
        group: tuple[Raised, ...] = ()
        others: tuple[str, ...] = ()
        if within is not None:
            group = self._members(within[0].inside, within[1], links)
        elif is_group(error):
            members = Members(error)
            group = self._members(members.kept, members, links)
            others = self._others(members)
        link, explicit = self._link(error, links)
        text = self._unsearched(error)
        told = Raised(
            type=values.kind_of(error).name,
            text=values.clean(text),
            frames=frames,
            omitted=omitted + calls.passed,
            cause=link if explicit else None,
            context=None if explicit else link,
            group=group,
            errno=_symbol(error) if issubclass(cls, OSError) else None,
            syntax=self._syntax(error) if issubclass(cls, SyntaxError) else None,
            recursive=self._recursive(calls) if issubclass(cls, RecursionError) else (),
            notes=self._notes(error),
            skipped=skipped,
            others=others,
        )
        self._variables.add([text], lambda texts: structs.force_setattr(told, "text", values.clean(texts[0])))
        return told

    def _link(self, error: BaseException, links: int) -> tuple[Raised | None, bool]:
        """(what it came from, is it an explicit cause); after the last link that is kept, where the chain began."""
        further, explicit = following(error)
        if further is None or links < 0 or id(further) in self._seen:
            return None, False
        if links > 0 and self._nodes > 0:
            return self.raised(further, traceback_of(further), links - 1, _FRAMES_OF_OTHERS), explicit
        root, skipped = root_of(further, self._seen)
        # Never as an explicit cause: grouping follows those, and what it is given must not depend on our bounds.
        traceback = traceback_of(root) if self._nodes > 0 else None
        return self.raised(root, traceback, -1, _FRAMES_OF_OTHERS, skipped), False

    def _notes(self, error: BaseException) -> tuple[str, ...]:
        """The first notes, and how many there are besides."""
        given = dict.get(values.attributes_of(error) or {}, "__notes__")
        if type(given) is not list:
            return ()
        scrub = self._traces._scrub.text
        texts = [values.shortened(scrub(values.text_of(note)), values.ROOM) for note in given[:_NOTES]]
        if len(given) > _NOTES:
            texts.append(values.cut_mark(len(given), "notes"))
        return tuple(map(values.clean, texts))

    def _unsearched(self, error: BaseException) -> str:
        """The exception's text, in which no secret has been looked for."""
        known = self._texts.get(id(error))
        return values.shortened(values.error_text(error), LIMIT + 1) if known is None else known

    def _text(self, error: BaseException) -> str:
        return values.clean(self._traces._scrub.text(self._unsearched(error)))

    def _members(self, kept: tuple[Member, ...], members: Members, links: int) -> tuple[Raised, ...]:
        found: list[Raised] = []
        for one in kept:
            if id(one.error) in self._seen:
                continue
            if self._nodes <= 0:
                members.pass_over(one.error)
                continue
            within = (one, members) if one.inside else None
            traceback = traceback_of(one.error)
            deeper = max(0, min(links - 1, 3))
            told = self.raised(one.error, traceback, deeper, _FRAMES_OF_OTHERS, within=within)
            if one.inside and not told.group:
                members.pass_over(one.error)  # Without its leaves it would pass for one.
            else:
                found.append(told)
        return tuple(found)

    def _others(self, members: Members) -> tuple[str, ...]:
        """Type and text of the exceptions that are not among the group's, each once."""
        titles: Counter[str] = Counter()
        for one in members.others:
            text = self._text(one).partition("\n")[0]
            titles[f"{values.kind_of(one).name}: {values.shortened(text, _OTHER_TEXT)}"] += 1
        shown = [title if times == 1 else f"{title} ({times} times)" for title, times in titles.items()]
        if members.more or len(shown) > _OTHERS:
            shown[_OTHERS:] = [values.cut_mark(len(members.others) + members.more, "exceptions")]
        return tuple(shown)

    def _frames(self, calls: Calls, room: int) -> tuple[tuple[Frame, ...], int]:
        kept: list[tuple[TracebackType, Code, int]] = []
        for call, code in calls:
            line = call.tb_lineno or 0
            if code.hides and call.tb_frame.f_locals.get(_HIDING) is True:
                continue
            if not code.comprehension:
                kept.append((call, code, line))
            elif kept and kept[-1][1].path == code.path:
                # From 3.12 on a comprehension has no frame: its line is the caller's own.
                kept[-1] = (kept[-1][0], kept[-1][1], line)
        omitted = max(0, len(kept) - room)
        if omitted:
            kept[room // 2 : room // 2 + omitted] = []
        return self._with_locals(kept), omitted

    def _with_locals(self, kept: list[tuple[TracebackType, Code, int]]) -> tuple[Frame, ...]:
        frames: list[Frame] = []
        given = 0
        wanted = True  # the innermost call of ours that can be made by itself
        for call, code, line in reversed(kept):
            if code.in_app and self._locals > 0 and given < _LOCALS_FRAMES:
                self._locals -= 1
                frames.append(self._frame(call, code, line, with_call=wanted))
                wanted = wanted and code.nested
                given += 1
            else:
                frames.append(code.frames.get(line) or code.frame(line))
        frames.reverse()
        return tuple(frames)

    def _frame(self, call: TracebackType, code: Code, line: int, *, with_call: bool) -> Frame:
        """A frame with its variables, and with its call's arguments."""
        held, scrub = _locals(call, code), self._traces._scrub
        shown = self._variables.of(held, code.of_shell)
        frame = Frame(code.path, code.module, code.function, line, shown)
        if not with_call:
            return frame
        plain = arguments_of(held, code.parameters, scrub)
        described = call_of(held, code.parameters, scrub) if plain is None or has_state(held) else None
        for name, given in (("arguments", plain), ("call", described)):
            if given is not None:
                structs.force_setattr(frame, name, given[0])
                # With a secret in it, it cannot be replayed.
                self._variables.add(given[1], partial(_without, frame, name))
        return frame

    def _recursive(self, calls: Calls) -> tuple[tuple[str, str], ...]:
        seen = Counter((code.module, code.function) for _, code in calls)
        return tuple(sorted(pair for pair, times in seen.items() if times >= 3))[:50]

    def _syntax(self, error: BaseException) -> Syntax:
        path, message, text = (values.exact(read(error)) or "" for read in _syntax_of)
        tell = self._traces._scrub.text
        return Syntax(
            values.clean(values.shortened(path, 1024)),
            values.clean(values.shortened(tell(message), 400)),
            values.clean(values.shortened(tell(text.strip()), 400)),
        )


def _without(frame: Frame, name: str, _: list[str]) -> None:
    structs.force_setattr(frame, name, None)


def _name_of(code: CodeType) -> str:
    """The qualified name. What tblib unpickles are modules' code objects that bear a function's plain name only."""
    return code.co_name if code.co_qualname == "<module>" else code.co_qualname


def _symbol(error: BaseException) -> str | None:
    number = _errno_of(error)
    return errno.errorcode.get(number) if type(number) is int else None


def _parameters(code: CodeType) -> tuple[str, ...] | None:
    """The names of a function's parameters but self and cls; None where a call cannot be written down."""
    flags = code.co_flags
    if not flags & inspect.CO_NEWLOCALS or flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return None
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names[1:] if names[:1] in (("self",), ("cls",)) else names


def _locals(traceback: TracebackType, code: Code) -> Mapping[str, Any]:
    held: Mapping[str, Any] = traceback.tb_frame.f_locals
    if not code.code.co_flags & inspect.CO_OPTIMIZED and type(held) is not dict:
        return {}  # A class body whose metaclass prepared a mapping of its own.
    return held
