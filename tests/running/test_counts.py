"""What a session tells of the functions that it was asked to count."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest
from support.watching import Imported, Watching

from tocsin.handler.protocol.wire import WatchedFunction
from tocsin.handler.running import monitor as tool
from tocsin.handler.running.counts import RunCounts
from tocsin.handler.running.monitor import CALLS, IDS, STRETCH, CodeCounter, Monitor, api

SHOP = """
import threading
def place(): ...
def other(): ...
def loop(begun, end):
    begun.set()
    end.wait()
async def serve(begun, go):
    while True:
        begun.set()
        await go.wait()
        go.clear()
"""


def begun(counts: RunCounts) -> list[int]:
    return [one.begun for one in counts.told()]


def test_what_ran_before_it_was_named_is_not_counted(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    shop.place()
    assert begun(watching("place")) == [0]


def test_another_function_is_not_touched(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    watching("place")
    assert api.get_local_events(3, shop.other.__code__) == 0
    assert api.get_events(3) == 0


def test_what_another_tool_left_switched_on_is_off(imported: Imported, watching: Watching) -> None:
    imported(SHOP)
    api.use_tool_id(3, "another")
    api.set_events(3, api.events.PY_START | api.events.LINE)
    api.free_tool_id(3)
    watching("place")
    assert api.get_events(3) == 0


def test_two_sessions_of_a_process_count_each_from_their_own_beginning(
    imported: Imported, watching: Watching
) -> None:
    shop = imported(SHOP)
    first = watching("place")
    shop.place()
    second = watching("place")
    shop.place()
    assert (begun(first), begun(second)) == ([2], [1])


def test_a_session_goes_on_counting_when_another_ends(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    first, second = watching("place"), watching("place")
    first.end()
    shop.place()
    assert begun(second) == [1]


def test_while_counting_is_interrupted_a_call_is_not_looked_at(imported: Imported) -> None:
    shop = imported(SHOP)
    counter = tool.monitor.count(shop.place.__code__, "test")
    assert counter is not None
    for _ in range(CALLS + 500):
        shop.place()
    tool.monitor.release(counter, "test")
    assert counter.begun == CALLS


def test_a_child_that_counts_nothing_gives_back_what_it_inherited(
    imported: Imported, watching: Watching
) -> None:
    imported(SHOP)
    watching("place")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        tool.monitor.detach()
        os.write(write, str(api.get_tool(3)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"None"


def test_a_count_goes_on_while_other_functions_are_named(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    shop.place()
    place = WatchedFunction(0, False, "shop_for_runs", "place")
    counts.watch([WatchedFunction(1, True, "shop_for_runs", "other"), place])
    shop.place()
    assert {one.error: one.begun for one in counts.told()} == {0: 2, 1: 0}


def test_a_function_that_is_named_again_later_is_counted_from_nothing_and_says_so(
    imported: Imported, watching: Watching
) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    shop.place()
    before = counts.told()[0]
    counts.watch([])
    counts.watch([WatchedFunction(0, False, "shop_for_runs", "place")])
    assert counts.told()[0].begun == 0
    assert counts.told()[0].since > before.since


def test_a_call_that_had_begun_before_cannot_be_told(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    entered, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=shop.loop, args=(entered, end))
    thread.start()
    entered.wait()
    counts = watching("loop")
    found = counts.told()[0]
    end.set()
    thread.join()
    assert (found.begun, found.unknown) == (0, "running")


def test_a_coroutine_that_had_begun_before_cannot_be_told(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)

    async def served() -> str:
        entered, go = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(shop.serve(entered, go))
        await entered.wait()
        counts = watching("serve")
        entered.clear()
        go.set()
        await entered.wait()
        task.cancel()
        return counts.told()[0].unknown

    assert asyncio.run(served()) == "running"


def test_a_function_that_begins_after_all_is_known_again(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    entered, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=shop.loop, args=(entered, end))
    thread.start()
    entered.wait()
    counts = watching("loop")
    end.set()
    thread.join()
    shop.loop(entered, end)
    assert [(one.begun, one.unknown) for one in counts.told()] == [(1, "")]


def test_after_a_thousand_calls_the_rest_is_estimated(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place", interval=1e-9)
    for _ in range(CALLS + 500):
        shop.place()
    [found] = counts.told()
    assert found.estimated
    assert found.begun > CALLS


def test_a_function_that_runs_less_often_is_counted_exactly(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    for _ in range(CALLS - 1):
        shop.place()
    assert [(one.begun, one.estimated) for one in counts.told()] == [(CALLS - 1, False)]


def test_an_interrupted_count_is_taken_up_again_with_the_next_interval(
    imported: Imported, watching: Watching
) -> None:
    shop = imported(SHOP)
    counts = watching("place", interval=1000.0)
    for _ in range(CALLS):
        shop.place()
    now = tool.monotonic() + 1001.0
    counts.check(now)
    before = counts.told()[0].begun
    shop.place()
    assert counts.told()[0].begun == before + 1


@pytest.mark.parametrize("took", [0.0, 5.0, 20.0])
def test_an_estimate_never_becomes_less_and_stays_within_its_bound(took: float) -> None:
    counter = CodeCounter(compile("", "x", "exec"))
    counter.armed_at, counter.begun, counter.full_at = 100.0, CALLS, 100.0 + took
    totals = [counter.total(100.0 + took + later, 30.0) for later in range(30)]
    assert totals == sorted(totals)
    assert totals[0] == CALLS
    assert totals[-1] <= CALLS + CALLS * STRETCH


def test_a_forked_child_counts_its_own(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    shop.place()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        tool.monitor.detach()
        own = RunCounts(30.0)
        own.watch([WatchedFunction(0, False, "shop_for_runs", "place")])
        shop.place()
        shop.place()
        os.write(write, str(begun(own)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"[2]"
    assert begun(counts) == [1]


def test_a_child_that_runs_no_hook_counts_its_own_too(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    watching("place")
    shop.place()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        own = RunCounts(30.0)
        own.watch([WatchedFunction(0, False, "shop_for_runs", "place")])
        shop.place()
        os.write(write, str(begun(own)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"[1]"


def test_the_tool_is_given_back_when_nothing_is_counted(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    assert api.get_tool(3) == "tocsin"
    counts.end()
    assert api.get_tool(3) is None
    api.use_tool_id(3, "another")
    try:
        assert api.get_local_events(3, shop.place.__code__) == 0
    finally:
        api.free_tool_id(3)


def test_where_other_tools_use_everything_the_count_is_unknown(
    imported: Imported, watching: Watching
) -> None:
    imported(SHOP)
    for number in IDS:
        api.use_tool_id(number, "another")
    try:
        assert watching("place").told()[0].unknown == "no_tool"
    finally:
        for number in IDS:
            api.free_tool_id(number)


def test_a_tool_that_was_taken_from_us_counts_nothing_and_says_so(
    imported: Imported, watching: Watching
) -> None:
    imported(SHOP)
    counts = watching("place")
    api.free_tool_id(3)
    api.use_tool_id(3, "another")
    try:
        assert counts.told()[0].unknown == "no_tool"
        counts.end()
        assert api.get_tool(3) == "another"
    finally:
        api.free_tool_id(3)


def test_a_count_in_many_threads_loses_nothing(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("place")
    threads = [threading.Thread(target=lambda: [shop.place() for _ in range(90)]) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        assert begun(counts) == [900]


def test_more_functions_than_a_daemon_may_name_are_not_watched() -> None:
    counts = RunCounts(30.0, Monitor())
    counts.watch([WatchedFunction(number, False, "nowhere", "f") for number in range(1000)])
    assert len(counts.told()) == 128
