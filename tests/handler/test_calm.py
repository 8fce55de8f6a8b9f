"""A quiet program's shipping thread sleeps; a record wakes it at once, and so does a daemon that comes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daemon_double import DaemonDouble
from support.running import until

from tocsin.handler.shipping import shipper, upkeep
from tocsin.handler.shipping.shipper import Shipper, Work

Make = Callable[..., logging.Logger]


@pytest.fixture
def address(place: Path) -> str:
    return f"ipc://{place}/s"


@pytest.fixture(autouse=True)
def long_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipper, "CALM", 600.0)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the thread looked at everything."""
    taken: list[float] = []
    turn = Work.turn

    def counted(work: Work, now: float) -> bool:
        taken.append(now)
        return turn(work, now)

    monkeypatch.setattr(Work, "turn", counted)
    return taken


def shipper_of(logger: logging.Logger) -> Shipper:
    handler: Any = logger.handlers[0]
    found: Shipper = handler.destination._session.shipper
    return found


def test_a_record_wakes_the_thread(address: str, logger_to: Make) -> None:
    logger = logger_to(heartbeat=3600.0)
    with DaemonDouble(address) as daemon:
        logger.error("first")
        assert until(lambda: daemon.memory.messages["first"] == 1 and shipper_of(logger).asleep)
        logger.error("second")
        assert until(lambda: daemon.memory.messages["second"] == 1)


def test_a_daemon_that_comes_wakes_the_thread(address: str, logger_to: Make) -> None:
    logger = logger_to(heartbeat=3600.0)
    logger.error("x")
    assert until(lambda: shipper_of(logger).asleep)
    with DaemonDouble(address) as daemon:
        assert until(lambda: daemon.memory.messages["x"] == 1)


def test_a_record_written_while_the_thread_falls_asleep_is_shipped(
    address: str, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logger_to(heartbeat=3600.0)
    look: Any = Work.calm.fget  # type: ignore[attr-defined]
    written: list[bool] = []

    def calm(work: Work) -> bool:
        found: bool = look(work)
        if found and not written:
            written.append(shipper_of(logger).asleep)
            logger.error("late")
        return found

    with DaemonDouble(address) as daemon:
        logger.error("first")
        assert until(lambda: daemon.memory.messages["first"] == 1)
        monkeypatch.setattr(Work, "calm", property(calm))
        assert until(lambda: daemon.memory.messages["late"] == 1)
    assert written == [False]


def test_the_end_of_a_program_does_not_wait_for_a_sleeping_thread(address: str, logger_to: Make) -> None:
    logger = logger_to(heartbeat=3600.0)
    with DaemonDouble(address) as daemon:
        logger.error("x")
        assert until(lambda: shipper_of(logger).asleep)
        logger.handlers[0].destination.finish(5)  # type: ignore[attr-defined]
        assert until(lambda: list(daemon.memory.goodbyes.values()) == [0])


def test_with_several_endpoints_and_no_daemon_the_thread_goes_on_looking(
    address: str, logger_to: Make, turns: list[float]
) -> None:
    logger = logger_to(endpoint=[address, f"{address}2"], heartbeat=3600.0)
    logger.error("x")
    assert until(lambda: len(turns) > 6)
    with DaemonDouble(f"{address}2") as daemon:
        assert until(lambda: daemon.memory.messages["x"] == 1)


def test_many_records_do_not_wake_the_thread_one_by_one(
    logger_to: Make, monkeypatch: pytest.MonkeyPatch, turns: list[float]
) -> None:
    woken: list[float] = []
    wake = Shipper.wake

    def counted(found: Shipper) -> None:
        woken.append(0.0)
        wake(found)

    monkeypatch.setattr(Shipper, "wake", counted)
    monkeypatch.setattr(upkeep, "QUIET", 0.0)
    logger = logger_to(heartbeat=3600.0)
    logger.error("first")
    assert until(lambda: shipper_of(logger).asleep)
    monkeypatch.setattr(upkeep, "QUIET", 600.0)
    for _ in range(5):
        taken = len(turns)
        logger.error("one of many")
        assert until(lambda taken=taken: len(turns) > taken + 1)  # type: ignore[misc]
    assert len(woken) <= 1  # None where it was about to fall asleep.
