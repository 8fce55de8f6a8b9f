"""The runs that one session tells: of the functions that its daemon has named, since then."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from tocsin.handler.process import monotonic, wall
from tocsin.handler.protocol.wire import WATCHED_FUNCTIONS, FunctionRuns, WatchedFunction
from tocsin.handler.running.functions import Found
from tocsin.handler.running.monitor import CodeCounter, Monitor, api, monitor

CODES = 4
"""Code objects of one function that are counted together: a reload leaves callers of the old one behind."""


class Unknown(StrEnum):
    """Why a function's runs are not counted. `NOT_LOADED` alone says that it has not run."""

    NO_MONITORING = "no_monitoring"
    """The interpreter has no `sys.monitoring`."""
    NO_TOOL = "no_tool"
    """Other tools use all of it."""
    NOT_LOADED = "not_loaded"
    """Its module has not been imported."""
    NO_FUNCTION = "no_function"
    """The module has no such function, or it cannot be told which."""
    RUNNING = "running"
    """It had begun before it was counted, and has not begun again."""


class RunCounts:
    """Used by the session's shipping thread alone."""

    def __init__(self, interval: float, counted_by: Monitor = monitor) -> None:
        """`interval`: seconds in which a function is counted one by one up to `monitor.CALLS` times."""
        self._interval = interval
        self._monitor = counted_by
        self._functions: dict[WatchedFunction, _Function] = {}

    def watch(self, functions: Sequence[WatchedFunction]) -> None:
        """Counts these from now on, and no others; what was counted before goes on."""
        wanted = dict.fromkeys(functions[: 2 * WATCHED_FUNCTIONS])
        for watched in [one for one in self._functions if one not in wanted]:
            self._functions.pop(watched).end()
        for watched in wanted:
            if watched not in self._functions:
                self._functions[watched] = _Function(watched, self._interval, self._monitor)

    def check(self, now: float) -> None:
        """Looks for functions that have come or were replaced, and takes up interrupted counts."""
        for function in self._functions.values():
            function.check(now)

    def told(self) -> tuple[FunctionRuns, ...]:
        """What there is to tell of each function."""
        now = monotonic()
        return tuple(one.told(now) for one in self._functions.values())

    def end(self) -> None:
        """Nothing is counted any more."""
        self.watch(())


class _Function:
    """One watched function and the counters of its code objects, each with where it stood when this began."""

    def __init__(self, watched: WatchedFunction, interval: float, counted_by: Monitor) -> None:
        self._watched = watched
        self._interval = interval
        self._monitor = counted_by
        self._since = wall()
        self._counters: list[tuple[CodeCounter, int]] = []
        self._before = 0
        """Runs of code objects that are not counted any more."""
        self._unknown: Unknown | None = Unknown.NO_MONITORING
        self._found: Found | None = None
        self._retry_at = 0.0
        """When a tool is asked for again, where none was free."""
        self._find()

    def check(self, now: float) -> None:
        if self._found is None:
            return
        refused = self._unknown is Unknown.NO_TOOL and now >= self._retry_at
        if refused or not self._found.current(self._watched.module, self._watched.name):
            self._find()
        for counter, _ in self._counters:
            self._monitor.tick(counter, now, self._interval)

    def told(self, now: float) -> FunctionRuns:
        counted = [counter.total(now, self._interval) - before for counter, before in self._counters]
        begun = self._before + sum(counted)
        unknown: str = self._unknown or ""
        if self._counters and not self._monitor.held:
            unknown = Unknown.NO_TOOL
        elif not begun and any(counter.running for counter, _ in self._counters):
            unknown = Unknown.RUNNING
        return FunctionRuns(
            error=self._watched.error,
            caller=self._watched.caller,
            begun=begun,
            since=self._since,
            estimated=any(counter.estimated for counter, _ in self._counters),
            unknown=unknown,
        )

    def end(self) -> None:
        for counter, _ in self._counters:
            self._monitor.release(counter, self)
        self._counters.clear()

    def _find(self) -> None:
        """Looks the function up, and counts what code of it is not counted yet."""
        if api is None:
            return
        found = self._found = Found(self._watched.module, self._watched.name)
        known = {id(counter.code) for counter, _ in self._counters}
        self._unknown = None
        if not found.codes:
            self._unknown = Unknown.NO_FUNCTION if found.loaded else Unknown.NOT_LOADED
        for code in found.codes[:CODES]:
            if id(code) in known:
                continue
            counter = self._monitor.count(code, self)
            if counter is None:
                self._unknown = Unknown.NO_TOOL
                self._retry_at = monotonic() + self._interval
                return
            self._counters.append((counter, counter.total(monotonic(), self._interval)))
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._counters) > CODES:
            counter, before = self._counters.pop(0)
            self._before += counter.total(monotonic(), self._interval) - before
            self._monitor.release(counter, self)
