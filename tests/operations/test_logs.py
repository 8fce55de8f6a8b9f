"""The daemon's log: one line per event, whatever the text; JSON in a service, readable on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.runtime.logs import readable

HOSTILE = 'a\nb\r\n\x1b[2J\x1b]0;pwned\x07\u2028\u0085\x00\u202e{"event": "forged"} %s {x}'
PROGRAM = """
import json, logging, sys, threading, warnings
import structlog
from tocsin.daemon.runtime import logs

logs.configure()
text = json.loads(sys.argv[1])
log = structlog.get_logger()
log.warning("mail_not_sent", reason=text)
try:
    raise ValueError(text)
except ValueError:
    log.exception("job_failed", job="round")
logging.getLogger("library").warning(text)
logging.getLogger("library").error("%s came", text)
warnings.warn(text)
thread = threading.Thread(target=lambda: 1 / 0, name="courier")
thread.start()
thread.join()
"""
EVENTS = 6


def lines(**environ: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, json.dumps(HOSTILE)]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, check=True, timeout=60)
    text = done.stderr.decode("ascii")
    assert text.endswith("\n")
    return text[:-1].split("\n")


@pytest.fixture(scope="module")
def service() -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines()]


def test_each_event_of_ours_of_libraries_of_warnings_and_dying_threads_is_one_line_of_json(
    service: list[dict[str, Any]],
) -> None:
    assert [event["event"] for event in service] == [
        "mail_not_sent", "job_failed", "library", "library", "library", "thread_died",
    ]  # fmt: skip


def test_text_from_outside_is_a_value_and_comes_back_unchanged(service: list[dict[str, Any]]) -> None:
    assert service[0]["reason"] == HOSTILE
    assert service[2]["message"] == HOSTILE
    assert HOSTILE in service[1]["exception"]


def test_a_dying_thread_is_named_with_its_traceback(service: list[dict[str, Any]]) -> None:
    assert (service[5]["thread"], service[5]["level"]) == ("courier", "critical")
    assert "ZeroDivisionError" in service[5]["exception"]


def test_the_journal_gets_each_events_priority_before_the_json() -> None:
    found = lines(JOURNAL_STREAM="8:1")
    assert [line[:3] for line in found] == ["<4>", "<3>", "<4>", "<3>", "<4>", "<2>"]
    assert all("event" in json.loads(line[3:]) for line in found)


def test_a_terminal_gets_one_readable_line_per_event_without_foreign_control_characters() -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, json.dumps(HOSTILE)]
    with subprocess.Popen(command, stderr=follower) as process:
        os.close(follower)
        shown = b""
        try:
            while data := os.read(leader, 65536):
                shown += data
        except OSError:
            pass
        assert process.wait(60) == 0
    os.close(leader)
    found = shown.decode("ascii").replace("\r\n", "\n").splitlines()
    assert len(found) == EVENTS
    assert all(line.count("\x1b[") == 2 for line in found)
    assert "mail_not_sent" in found[0]


@given(st.text(), st.text(), st.text(st.characters(categories=["L"]), min_size=1))
def test_whatever_is_logged_a_terminal_gets_one_line_of_ascii(event: str, value: str, level: str) -> None:
    line = readable(
        None, "", {"event": event, "level": level[:5].encode("ascii", "replace").decode(), "v": value}
    )
    assert line.isascii()
    assert not set(line.replace("\x1b[32m", "").replace("\x1b[0m", "")) & set(map(chr, [*range(32), 127]))
