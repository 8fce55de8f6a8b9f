"""The log call: it counts each record once, disturbs nobody, and is quick, whatever the daemon does."""

from __future__ import annotations

import gc
import io
import logging
import logging.config
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from daemon_double import DaemonDouble
from support.running import until

from tocsin.handler import TocsinHandler, failpoints
from tocsin.handler.settings import default_service, resolve_settings

Make = Callable[..., logging.Logger]


@pytest.fixture
def address(place: Path) -> str:
    return f"ipc://{place}/s"


def test_repeats_are_counted_one_by_one_and_cost_short_frames(address: str, logger_to: Make) -> None:
    logger = logger_to()
    with DaemonDouble(address) as daemon:
        for _ in range(1000):
            logger.error("the same again")
        assert until(lambda: daemon.memory.counted >= 1000)
        assert daemon.memory.messages == {"the same again": 1000}
        assert daemon.memory.full <= 5
        assert not daemon.memory.undefined


def test_messages_with_another_text_are_no_repeats(address: str, logger_to: Make) -> None:
    logger = logger_to()
    with DaemonDouble(address) as daemon:
        for number in range(100):
            logger.error("number %d", number)
        assert until(lambda: daemon.memory.counted >= 100)
        assert len(daemon.memory.messages) == 100


def test_repeats_over_many_segments_are_all_defined(
    address: str, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.handler.shipping.upkeep.SEGMENT_BYTES", 32 * 1024)
    logger = logger_to()
    with DaemonDouble(address) as daemon:
        for number in range(3000):
            logger.error("the same again")
            if number % 3 == 0:
                logger.error(f"another {number} " + "x" * 300)
        assert until(lambda: daemon.memory.counted + daemon.memory.reported >= 4000)
        assert (daemon.memory.undefined, daemon.memory.lost) == (0, {})
        assert daemon.memory.messages["the same again"] == 3000


def test_no_failpoint_lies_on_the_path_of_a_log_call(logger_to: Make) -> None:
    logger = logger_to()
    logger.error("the first begins the session")
    called = set()
    sys.setprofile(lambda frame, event, argument: called.add(frame.f_code))
    try:
        logger.error("the next")
    finally:
        sys.setprofile(None)
    assert TocsinHandler.emit.__code__ in called
    assert failpoints.reach.__code__ not in called


@pytest.mark.parametrize("other", [{}, {"client": "martin"}], ids=["alike", "with other settings"])
def test_a_record_that_meets_two_handlers_is_counted_once(
    address: str, logger_to: Make, other: dict[str, str]
) -> None:
    first, second = logger_to(), logger_to(**other)
    first.addHandler(second.handlers[0])
    with DaemonDouble(address) as daemon:
        first.error("once")
        first.error("last")
        assert until(lambda: daemon.memory.messages["last"])
        assert daemon.memory.messages["once"] == 1


def test_handlers_with_equal_settings_share_one_session(address: str, logger_to: Make) -> None:
    assert logger_to().handlers[0].destination is logger_to().handlers[0].destination


def test_a_record_with_our_mark_can_be_pickled(logger_to: Make) -> None:
    record = logging.makeLogRecord({"msg": "x", "levelno": 40})
    logger_to().handle(record)
    assert pickle.loads(pickle.dumps(record.__dict__))["msg"] == "x"


def test_logging_after_close_is_counted(address: str, logger_to: Make) -> None:
    logger = logger_to()
    logger.handlers[0].close()
    logger.handlers[0].destination.finish(0)
    with DaemonDouble(address) as daemon:
        logger.error("after close")
        assert until(lambda: daemon.memory.messages["after close"] == 1)


def test_no_descriptor_stays_open_after_the_end_but_parked_ones(place: Path) -> None:
    def cycle(number: int) -> None:
        handler = TocsinHandler(f"ipc://{place}/s", "shop", spool=place / f"spool{number}")
        handler.close()
        handler.destination.finish(0)

    cycle(0)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 6):
        cycle(number)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_session_ends_by_itself_when_no_handler_uses_it(
    address: str, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.handler.shipping.shipper.UNUSED", 0.2)
    logger = logger_to()
    with DaemonDouble(address) as daemon:
        logger.error("x")
        logger.handlers[0].close()
        assert until(lambda: list(daemon.memory.goodbyes.values()) == [0])


def test_a_log_call_within_str_within_a_log_call_is_counted(address: str, logger_to: Make) -> None:
    logger = logger_to()

    class Talkative:
        def __str__(self) -> str:
            logger.error("inner")
            return "outer"

    with DaemonDouble(address) as daemon:
        logger.error("%s", Talkative())
        assert until(lambda: daemon.memory.counted >= 2)
        assert daemon.memory.messages == {"inner": 1, "outer": 1}


def test_log_calls_of_signal_handlers_and_finalisers_during_log_calls_are_counted(
    address: str, logger_to: Make
) -> None:
    logger = logger_to()
    counts = {"signal": 0, "finaliser": 0}

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            counts["finaliser"] += 1
            logger.error("finaliser")

    def on_signal(*_: object) -> None:
        counts["signal"] += 1
        logger.error("signal")

    # The session is open: a call that interrupts its opening has a file of its own, and thousands are slow to adopt.
    logger.error("first")
    before = signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for number in range(3000):
            Cycle()
            logger.error(f"main {number}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    with DaemonDouble(address) as daemon:
        expected = 3001 + sum(counts.values())
        assert until(lambda: daemon.memory.counted >= expected)
        assert daemon.memory.counted == expected
        assert daemon.memory.messages["signal"] == counts["signal"] > 0
        assert daemon.memory.messages["finaliser"] == counts["finaliser"] == 3000


def test_a_complaint_that_cannot_be_printed_costs_no_event(
    place: Path, address: str, monkeypatch: pytest.MonkeyPatch, logger_to: Make
) -> None:
    (place / "file").touch()
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    with DaemonDouble(address) as daemon:
        logger_to(spool=place / "file").error("x")
        assert until(lambda: daemon.memory.messages == {"x": 1})


@pytest.mark.parametrize("state", ["absent", "mute"])
def test_a_log_call_does_not_wait_for_a_daemon(state: str, address: str, logger_to: Make) -> None:
    logger = logger_to()
    times = []
    daemon = DaemonDouble(address, mute=True) if state == "mute" else None
    if daemon:
        daemon.__enter__()
    for number in range(5000):
        begun = time.perf_counter()
        logger.error(f"number {number}")
        times.append(time.perf_counter() - begun)
    if daemon:
        daemon.die()
    assert sorted(times)[len(times) * 99 // 100] < 0.001


def test_a_stopped_daemon_is_not_waited_for(place: Path, address: str, logger_to: Make) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from daemon_double import DaemonDouble\n"
        f"daemon = DaemonDouble({address!r}).__enter__()\n"
        "print('up', flush=True); sys.stdin.read()"
    )
    peer = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    try:
        assert peer.stdout.readline() == "up\n"
        logger = logger_to()
        logger.error("first")
        assert logger.handlers[0].destination.await_delivery(20)
        peer.send_signal(signal.SIGSTOP)
        times = []
        for number in range(3000):
            begun = time.perf_counter()
            logger.error(f"number {number}")
            times.append(time.perf_counter() - begun)
        assert sorted(times)[len(times) * 99 // 100] < 0.001
    finally:
        peer.kill()
        peer.communicate()


def test_an_idle_handler_uses_next_to_no_processor(address: str, logger_to: Make) -> None:
    code = (
        "import logging, sys, time\n"
        "from tocsin.handler import TocsinHandler\n"
        f"handler = TocsinHandler({address!r}, 'shop', spool=sys.argv[1])\n"
        "logging.Logger('x').addHandler(handler)\n"
        "assert handler.destination.await_delivery(20)\n"
        "begun, used = time.monotonic(), time.process_time()\n"
        "sys.stdin.readline()\n"
        "print((time.process_time() - used) / (time.monotonic() - begun))"
    )
    with DaemonDouble(address):
        where = address.removeprefix("ipc://").removesuffix("/s") + "/spool"
        process = subprocess.Popen([sys.executable, "-c", code, where], stdin=-1, stdout=-1, text=True)
        threading.Event().wait(3)  # The scenario: the idle time that is measured.
        share = float(process.communicate("\n", timeout=20)[0])
    assert share < 0.01


# Settings


def test_dict_config_makes_a_handler(place: Path, address: str) -> None:
    handler = {"class": "tocsin.handler.TocsinHandler", "endpoint": address, "level": "CRITICAL"}
    factory = {"()": "tocsin.handler.TocsinHandler", "endpoint": [address], "spool": str(place / "spool")}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"a": {**handler, "spool": str(place / "spool")}, "b": factory},
            "loggers": {"configured": {"handlers": ["a", "b"]}},
        }
    )
    logger = logging.getLogger("configured")
    first, second = logger.handlers
    try:
        assert (first.level, second.level) == (logging.CRITICAL, logging.ERROR)
        assert first.destination is second.destination
    finally:
        for one in (first, second):
            logger.removeHandler(one)
            one.close()
            one.destination.finish(0)


def test_file_config_makes_a_handler(place: Path, address: str) -> None:
    text = f"""
[loggers]
keys=root,filed
[handlers]
keys=tocsin
[formatters]
keys=
[logger_root]
handlers=
[logger_filed]
qualname=filed
handlers=tocsin
[handler_tocsin]
class=tocsin.handler.TocsinHandler
args=({address!r},)
kwargs={{"service": "filed", "spool": {str(place / "spool")!r}}}
"""
    logging.config.fileConfig(io.StringIO(text), disable_existing_loggers=False)
    logger = logging.getLogger("filed")
    handler = logger.handlers[0]
    try:
        assert handler.settings.service == "filed"
    finally:
        logger.removeHandler(handler)
        handler.close()
        handler.destination.finish(0)


def test_what_is_not_given_comes_from_the_environment() -> None:
    environ = {
        "TOCSIN_SERVICE": "shop",
        "TOCSIN_ENDPOINT": "tcp://a:1, tcp://b:2",
        "TOCSIN_SPOOL_LIMIT": "1GB",
    }
    settings, level, _ = resolve_settings({"service": "given"}, {**environ, "TOCSIN_LEVEL": "warning"})
    assert settings.endpoints == ("tcp://a:1", "tcp://b:2")
    assert (settings.service, settings.spool_limit, level) == ("given", 2**30, logging.WARNING)


def test_a_wrong_variable_falls_back_to_the_default_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    settings, _, _ = resolve_settings({}, {"TOCSIN_HEARTBEAT": "often"})
    assert settings.heartbeat == 15.0
    assert "TOCSIN_HEARTBEAT = 'often'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", "http://x"),
        ("endpoint", "tcp://x:99999"),
        ("endpoint", "ipc:///" + "x" * 110),
        ("spool_limit", "a lot"),
        ("durability", "maybe"),
        ("locals", "all"),
        ("heartbeat", -1),
        ("level", "LOUD"),
        ("service", "a\nb"),
        ("flush_timeout", "x"),
    ],
)
def test_nonsense_given_in_code_is_refused_by_name_and_value(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} = "):
        resolve_settings({name: value}, {})


def test_the_service_has_a_name_without_being_given_one() -> None:
    assert default_service()


@pytest.mark.parametrize(
    ("program", "service"),
    [
        ("/srv/venv/bin/gunicorn", "shop"),
        ("/srv/venv/lib/python3.11/site-packages/uvicorn/__main__.py", "shop"),
        ("/srv/shop/manage.py", "shop"),
        ("/srv/shop/nightly.py", "nightly"),
        ("/srv/shop/orders/__main__.py", "orders"),
    ],
)
def test_the_service_is_named_after_the_application_not_after_what_runs_it(
    program: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=program))
    assert default_service() == service


def test_importing_the_handler_opens_nothing() -> None:
    code = (
        "import os, threading, zmq; before = len(os.listdir('/proc/self/fd'));"
        "import tocsin.handler; assert len(os.listdir('/proc/self/fd')) == before;"
        "assert threading.active_count() == 1; assert zmq.Context._instance is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
