"""How exceptions belong to each other: what one came from, where its chain began, what a group holds.

All is read through BaseException's own descriptors, so that a class which defines `__cause__` or `exceptions` as a
property runs no code here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from types import TracebackType
from typing import NamedTuple

LEAVES = 20
"""Leaves kept of an exception group."""

_VISITED = 1000
_LINKS = 1000
_GROUPS = 16
_DEPTH = 6
_OTHERS = 40
_INNERMOST = 1000

traceback_of: Callable[[BaseException], TracebackType | None] = BaseException.__dict__[
    "__traceback__"
].__get__
_cause_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__["__cause__"].__get__
_context_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__["__context__"].__get__
_suppressed: Callable[[BaseException], bool] = BaseException.__dict__["__suppress_context__"].__get__
members_of: Callable[[object], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__


def is_group(error: BaseException) -> bool:
    """Whether it is an exception group."""
    return issubclass(type(error), BaseExceptionGroup)


def following(error: BaseException) -> tuple[BaseException | None, bool]:
    """(the exception this one came from, is it an explicit cause)."""
    cause = _cause_of(error)
    if cause is not None:
        return cause, True
    return (None if _suppressed(error) else _context_of(error)), False


def root_of(error: BaseException, seen: set[int]) -> tuple[BaseException, int]:
    """(where a chain began that goes on with `error`, how many links lie before it, `error` itself included).

    It ends before an exception that was seen already; of an endless one it looks at a thousand links.
    """
    passed = 0
    known = {*seen, id(error)}
    for _ in range(_LINKS):
        further = following(error)[0]
        if further is None or id(further) in known:
            break
        known.add(id(further))
        error = further
        passed += 1
    return error, passed


def leaves(group: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group and its groups, in order, at most a thousand looked at."""
    waiting = [iter(members_of(group))]
    for _ in range(_VISITED):
        while waiting:
            member = next(waiting[-1], None)
            if member is not None:
                break
            waiting.pop()
        else:
            return
        if is_group(member):
            waiting.append(iter(members_of(member)))
        elif member is not None:
            yield member


class Member(NamedTuple):
    """An exception in a group; of a group in it what is kept of that one's."""

    error: BaseException
    inside: tuple[Member, ...] = ()


class Members:
    """What is kept of a group: leaves of distinct type and code location, in the groups they lie in.

    How often one occurs is not part of what the error is. `others` are exceptions that are like a kept one, or that
    there is no room for; `more` counts those that are not even there.
    """

    def __init__(self, group: BaseException) -> None:
        self.others: list[BaseException] = []
        self.more = 0
        self._distinct: set[tuple[int, int, int]] = set()
        self._visited = 0
        self._groups = 0
        self.kept = self._inside(group, 0)

    def _inside(self, group: BaseException, depth: int) -> tuple[Member, ...]:
        found: list[Member] = []
        members = members_of(group)
        for number, member in enumerate(members):
            if self._visited >= _VISITED:
                self.more += len(members) - number
                break
            self._visited += 1
            if not is_group(member):
                if self._is_new(member):
                    found.append(Member(member))
                else:
                    self.pass_over(member)
            elif depth < _DEPTH and self._groups < _GROUPS:
                self._groups += 1
                inside = self._inside(member, depth + 1)
                if inside:
                    found.append(Member(member, inside))
                else:
                    self._groups -= 1
                    self.pass_over(member)
            else:
                self.pass_over(member)
                found += self._flat(member)
        return tuple(found)

    def _flat(self, group: BaseException) -> Iterator[Member]:
        """The leaves of a group that itself has no room, however deep it is."""
        for leaf in islice(leaves(group), _VISITED - self._visited):
            self._visited += 1
            if self._is_new(leaf):
                yield Member(leaf)
            else:
                self.pass_over(leaf)

    def _is_new(self, leaf: BaseException) -> bool:
        last = _innermost(traceback_of(leaf))
        where = (id(last.tb_frame.f_code), last.tb_lasti) if last is not None else (0, 0)
        kind = (id(type(leaf)), *where)
        if kind in self._distinct or len(self._distinct) == LEAVES:
            return False
        self._distinct.add(kind)
        return True

    def pass_over(self, member: BaseException) -> None:
        """Counts one among the others."""
        if len(self.others) < _OTHERS:
            self.others.append(member)
        else:
            self.more += 1


def _innermost(traceback: TracebackType | None) -> TracebackType | None:
    for _ in range(_INNERMOST):
        if traceback is None or traceback.tb_next is None:
            return traceback
        traceback = traceback.tb_next
    return traceback
