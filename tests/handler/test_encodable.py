"""Text is not always text: whatever strings an application has, what goes to disk and wire can be encoded."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from daemon_double import DaemonDouble
from hypothesis import given
from hypothesis import strategies as st
from support.running import until

from tocsin.handler.capture.code_locations import CodeLocations
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import CodeLocation, Frame, Raised

Make = Callable[..., logging.Logger]

texts = st.text(st.characters(exclude_categories=()), max_size=20)


@given(texts, texts, st.tuples(texts, texts))
def test_a_place_of_any_text_is_encoded(path: str, template: str, context: tuple[str, ...]) -> None:
    place = CodeLocation(path, 1, None, template, True, 1, context)
    found = wire.decode_record(wire.encode_record(place))
    assert isinstance(found, CodeLocation)
    assert found.path == path.encode("utf-8", "backslashreplace").decode()


def test_text_that_can_be_encoded_goes_through_unchanged() -> None:
    place = CodeLocation("café.py", 1, None, "prix : %d €", True, 1, ("é",))
    assert wire.decode_record(wire.encode_record(place)) == place


def test_nested_values_are_made_encodable_too() -> None:
    frames = (Frame("\udce9.py", "f", 1, "m"),)
    raised = Raised("E\udc80", "text", frames, cause=Raised("C", "\udcff", ()))
    decoded = wire.msgspec.msgpack.decode(wire._encoded(raised))
    assert "\\udcff" in str(decoded)


def test_a_literal_with_a_lone_surrogate_ends_no_shipping(
    place: Path, logger_to: Make, tmp_path: Path
) -> None:
    program = tmp_path / "surrogate.py"
    program.write_text('def fail(log):\n    log.error("bad \\udc80 literal")\n')
    space: dict[str, object] = {"__name__": "surrogate"}
    exec(compile(program.read_text(), str(program), "exec"), space)
    logger = logger_to()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        space["fail"](logger)  # type: ignore[operator]
        logger.error("after")
        assert until(lambda: daemon.memory.counted == 2)


def test_a_place_whose_source_cannot_be_told_keeps_no_event_back(
    place: Path, logger_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> CodeLocation:
        raise RecursionError

    monkeypatch.setattr(CodeLocations, "of", broken)
    logger = logger_to()
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        logger.error("shipped")
        assert until(lambda: daemon.memory.counted == 1)


@pytest.mark.parametrize(("folder", "script"), [(b"caf\xe9", b"p.py"), (b"ok", b"caf\xe9.py")])
def test_a_program_in_a_path_that_is_no_utf_8_is_heard(place: Path, folder: bytes, script: bytes) -> None:
    directory = os.fsencode(place) + b"/" + folder
    os.mkdir(directory)
    with open(directory + b"/" + script, "w", encoding="ascii") as file:
        file.write(
            "import logging, sys\nfrom tocsin.handler import TocsinHandler\n"
            "log = logging.getLogger('x')\n"
            "log.addHandler(TocsinHandler(sys.argv[1], spool=sys.argv[2]))\nlog.error('failed')\n"
        )
    with DaemonDouble(f"ipc://{place}/s") as daemon:
        command = [
            os.fsencode(sys.executable),
            directory + b"/" + script,
            f"ipc://{place}/s",
            f"{place}/spool",
        ]
        assert subprocess.run(command, timeout=60).returncode == 0
        assert until(lambda: daemon.memory.counted == 1)
