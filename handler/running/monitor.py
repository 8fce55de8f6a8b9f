"""How often code objects begin, by `sys.monitoring`: one tool of this process, for whoever asks.

Only the code objects that are counted are instrumented, by local events: every other function runs as before, and
other tools (coverage, debuggers, profilers) keep what they have set. CPython 3.11 has nothing of the kind.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Hashable
from types import CodeType, FrameType
from typing import Any

from tocsin.handler.process import monotonic

TOOL = "tocsin"
IDS = (3, 4)
"""Tool ids that are nobody's by convention; with a third one taken, cProfile raises."""
CALLS = 1000
"""Beginnings counted one by one in an interval, at most; then the function runs as if it were not counted."""
STRETCH = 10
"""An interruption is estimated to hold at most so many times what was counted before it."""
_RESUMED_LATER = 0x20 | 0x80 | 0x200
"""Code flags of generators, coroutines and asynchronous generators."""

api: Any = getattr(sys, "monitoring", None)
"""CPython's interface, None where there is none."""


class CodeCounter:
    """How often one code object has begun since it is counted."""

    __slots__ = ("armed_at", "begun", "code", "full_at", "limit", "missed", "running", "users")

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.begun = 0
        """Counted one by one."""
        self.limit = CALLS
        self.missed = 0.0
        """Estimated for the interruptions that are over."""
        self.armed_at = monotonic()
        self.full_at = 0.0
        """When counting was interrupted; 0: it goes on."""
        self.running = False
        """A call of it had begun before."""
        self.users: set[Hashable] = set()

    def total(self, now: float, interval: float) -> int:
        """How often it has begun, by `now`; it never becomes less."""
        return self.begun + int(self.missed + self._missing(now, interval))

    @property
    def estimated(self) -> bool:
        """Counting was interrupted, or is."""
        return bool(self.missed or self.full_at)

    def _missing(self, now: float, interval: float) -> float:
        """Estimate for the interruption that lasts: it went on as before, but by no more than `STRETCH` times."""
        if not self.full_at:
            return 0.0
        counted_for = max(self.full_at - self.armed_at, interval / STRETCH)
        return max(CALLS * (now - self.full_at) / counted_for, 0.0)

    def restart(self, now: float, interval: float) -> None:
        """Another interval begins."""
        self.missed += self._missing(now, interval)
        self.limit = self.begun + CALLS
        self.full_at = 0.0
        self.armed_at = now


class Monitor:
    """The process's tool. Used by shipping threads; the callbacks run wherever the application runs."""

    def __init__(self) -> None:
        self._tool = -1
        self._pid = 0
        self._counters: dict[int, CodeCounter] = {}
        """By the code object's id: to compare code objects costs more than to count."""

    def count(self, code: CodeType, user: Hashable) -> CodeCounter | None:
        """Counts it for this user from now on. None where that is not possible: no tool, no such Python."""
        if not self._hold():
            return None
        counter = self._counters.get(id(code))
        if counter is None:
            counter = CodeCounter(code)
            counter.running = _runs(code)
            self._counters[id(code)] = counter
            events = api.events
            later = events.PY_RESUME if code.co_flags & _RESUMED_LATER else 0
            api.set_local_events(self._tool, code, events.PY_START | later)
        counter.users.add(user)
        return counter

    def release(self, counter: CodeCounter, user: Hashable) -> None:
        """Counts it no longer for this user; where nobody counts anything any more, the tool is given back."""
        counter.users.discard(user)
        if counter.users or self._counters.get(id(counter.code)) is not counter:
            return
        del self._counters[id(counter.code)]
        if self.held:
            api.set_local_events(self._tool, counter.code, 0)
            if not self._counters:
                self._give_back()

    def tick(self, counter: CodeCounter, now: float, interval: float) -> None:
        """Takes an interrupted count up again, once the interval is over."""
        if now - counter.armed_at < interval or not self.held:
            return
        interrupted = bool(counter.full_at)
        counter.restart(now, interval)
        if interrupted:
            # Not `restart_events`, which would wake what other tools have put to sleep.
            api.set_local_events(self._tool, counter.code, 0)
            api.set_local_events(self._tool, counter.code, api.events.PY_START)

    def detach(self) -> None:
        """In a forked child: what the parent counted is not counted here."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        counters, self._counters = self._counters, {}
        if self.held:
            for counter in counters.values():
                api.set_local_events(self._tool, counter.code, 0)
            self._give_back()

    @property
    def held(self) -> bool:
        """The tool is still ours."""
        return self._tool >= 0 and api.get_tool(self._tool) == TOOL

    def _hold(self) -> bool:
        """Has a tool, if one is free; one that a fork has left behind is given back first."""
        if api is None:
            return False
        self.detach()
        if self.held:
            return True
        self._counters = {}
        for tool in IDS:
            if api.get_tool(tool) is not None:
                continue
            with contextlib.suppress(ValueError):  # Somebody else was quicker.
                api.use_tool_id(tool, TOOL)
                self._tool = tool
                # Of a tool that was freed the interpreter keeps the events: every function would call us.
                api.set_events(tool, api.events.NO_EVENTS)
                api.register_callback(tool, api.events.PY_START, self._callback_of_starts())
                api.register_callback(tool, api.events.PY_RESUME, self._callback_of_resumptions())
                return True
        return False

    def _give_back(self) -> None:
        tool, self._tool = self._tool, -1
        api.register_callback(tool, api.events.PY_START, None)
        api.register_callback(tool, api.events.PY_RESUME, None)
        api.free_tool_id(tool)

    def _callback_of_starts(self) -> Callable[[CodeType, int], object]:
        """It runs in the application's calls, so it does next to nothing, and nothing that raises."""
        counters, disable, clock, ident = self._counters, api.DISABLE, monotonic, id

        def begun(code: CodeType, offset: int) -> object:
            counter = counters.get(ident(code))
            if counter is None:
                return disable
            counter.begun = number = counter.begun + 1
            if number < counter.limit:
                return None
            if not counter.full_at:
                counter.full_at = clock()
            return disable

        return begun

    def _callback_of_resumptions(self) -> Callable[[CodeType, int], object]:
        """What goes on before it has begun here had begun before; each place tells it once."""
        counters, disable, ident = self._counters, api.DISABLE, id

        def resumed(code: CodeType, offset: int) -> object:
            counter = counters.get(ident(code))
            if counter is not None and not counter.begun:
                counter.running = True
            return disable

        return resumed


def _runs(code: CodeType) -> bool:
    """Whether a thread is just in a call of it."""
    frame: FrameType | None
    for frame in sys._current_frames().values():
        while frame is not None:
            if frame.f_code is code:
                return True
            frame = frame.f_back
    return False


monitor = Monitor()
