"""Beside coverage, debuggers and profilers: what they see is the same, and so is what we count."""

from __future__ import annotations

import contextlib
import cProfile
import pstats
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest
from support.watching import Imported, Watching

from tocsin.handler.running.monitor import CALLS, api

SHOP = """
def place(number):
    total = number
    total += 1
    return total
def day():
    return [place(number) for number in range(5)]
"""


@contextlib.contextmanager
def another(tool: int, *, sleeps: bool) -> Iterator[list[tuple[str, int]]]:
    """A tool with this id that notes starts and lines; `sleeps`: each place once, as coverage does."""
    seen: list[tuple[str, int]] = []

    def noted(code: CodeType, at: int) -> Any:
        if "shop_for_runs" in code.co_filename:
            seen.append((code.co_name, at))
        return api.DISABLE if sleeps else None

    events = (api.events.PY_START, api.events.LINE)
    api.use_tool_id(tool, "another")
    for event in events:
        api.register_callback(tool, event, noted)
    api.set_events(tool, sum(events))
    try:
        yield seen
    finally:
        api.set_events(tool, 0)
        for event in events:
            api.register_callback(tool, event, None)
        api.free_tool_id(tool)


def run(shop: ModuleType, watching: Watching | None) -> int:
    """A day, beginning, counting, and being interrupted; how often `place` was counted."""
    counts = watching("place", interval=1000.0) if watching else None
    shop.day()
    for number in range(CALLS):
        shop.place(number)
    if counts:
        counts.check(sys.maxsize)
    shop.day()
    begun = counts.told()[0].begun if counts else 0
    if counts:
        counts.end()
    return begun


@pytest.mark.parametrize("sleeps", [True, False])
@pytest.mark.parametrize("tool", [0, 1, 2, 4, 5])
def test_another_tool_of_sys_monitoring_sees_the_same(
    imported: Imported, watching: Watching, tool: int, sleeps: bool
) -> None:
    shop = imported(SHOP)
    with another(tool, sleeps=sleeps) as alone:
        run(shop, None)
    if sleeps:
        api.restart_events()
    with another(tool, sleeps=sleeps) as beside:
        assert run(shop, watching) >= CALLS
    assert beside == alone
    assert alone


def test_a_tool_that_wakes_all_events_costs_us_no_count(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place", interval=1e6)
    for number in range(CALLS):
        shop.place(number)
    api.restart_events()
    shop.place(1)
    shop.place(1)
    assert api.get_local_events(3, shop.place.__code__) == api.events.PY_START
    assert counts.told()[0].begun >= CALLS


def test_cprofile_counts_the_same_calls(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    with cProfile.Profile() as profile:
        shop.day()
    stats: Any = pstats.Stats(profile)
    calls = {name: entry[0] for (_, _, name), entry in stats.stats.items()}
    assert calls["place"] == 5
    assert counts.told()[0].begun == 5


@pytest.mark.parametrize("install", ["settrace", "setprofile"])
def test_a_debugger_or_profiler_of_the_old_kind_sees_the_same(
    imported: Imported, watching: Watching, install: str
) -> None:
    shop = imported(SHOP)

    def seen_by(counted: bool) -> list[tuple[str, str, int]]:
        seen: list[tuple[str, str, int]] = []

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            if "shop_for_runs" in frame.f_code.co_filename:
                seen.append((frame.f_code.co_name, event, frame.f_lineno))
            return trace

        counts = watching("place") if counted else None
        former = getattr(sys, install.replace("set", "get"))()
        getattr(sys, install)(trace)
        try:
            shop.day()
        finally:
            getattr(sys, install)(former)
        assert counts is None or counts.told()[0].begun == 5
        return seen

    assert seen_by(True) == seen_by(False) != []
