"""Old and new handlers and daemons: what is not understood is answered, and nothing is given up."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import zmq
from support.peer import event, header, peer
from support.running import short_place, until
from support.secured_daemon import SecuredDaemon

from tocsin.handler import TocsinHandler
from tocsin.handler.protocol import wire
from tocsin.handler.protocol.event import Event


@pytest.mark.parametrize("version", [0, 2, 255])
def test_an_unknown_version_is_told_ours(running: SecuredDaemon, version: int) -> None:
    with peer(running.ipc) as client:
        answer = client.ask(bytes([version]) + b"whatever it says")
    assert isinstance(answer, wire.Refusal)
    assert (answer.reason, answer.version, answer.permanent) == ("version", wire.VERSION, False)


def test_a_handler_that_is_told_so_keeps_its_spool_and_says_why(tmp_path: Path) -> None:
    with short_place() as place:
        context = zmq.Context()
        daemon = context.socket(zmq.ROUTER)
        daemon.linger = 0
        daemon.bind(f"ipc://{place}/s")
        handler = TocsinHandler(f"ipc://{place}/s", "shop", spool=tmp_path / "spool")
        logger = logging.Logger("test.versions")
        logger.addHandler(handler)
        logger.error("kept")
        try:
            assert daemon.poll(20_000)
            identity, _ = daemon.recv_multipart()
            refusal = wire.Refusal("", "version", "this daemon speaks version 7", version=7)
            daemon.send_multipart([identity, wire.encode(refusal)])
            assert until(lambda: handler.destination.trouble == "this daemon speaks version 7", 20)
            assert any(b"kept" in file.read_bytes() for file in (tmp_path / "spool").iterdir())
        finally:
            handler.close()
            handler.destination.finish(0)
            daemon.close(0)
            context.term()


def test_a_newer_handlers_additional_fields_are_passed_over(running: SecuredDaemon) -> None:
    with peer(running.ipc) as client:
        welcome = client.ask(_longer(wire.Hello(client.header, 0, 0, 1.0, True)))
        assert isinstance(welcome, wire.Welcome)
        record = msgspec.msgpack.encode([*_array(event("newer")), "a field", {"of": "later"}])
        assert client.ask(_longer(client.batch(record))) == wire.Ack(client.header.session, 100)
    assert until(lambda: ("newer",) in running.ask("SELECT message FROM error_logs"))


def test_an_older_handlers_missing_fields_are_the_defaults() -> None:
    shortest = _array(event("older"))[:10]
    assert wire.decode_record(msgspec.msgpack.encode(shortest)) == Event(*shortest[1:])


def test_an_older_handlers_batch_without_backlog_and_time_is_taken(running: SecuredDaemon) -> None:
    with peer(running.ipc) as client:
        client.hello()
        batch = _array(client.batch(event("short")))[:5]
        assert client.ask(bytes([wire.VERSION]) + msgspec.msgpack.encode(batch)) == wire.Ack(
            client.header.session, 100
        )


def test_a_secret_key_given_as_text_is_not_written_into_the_spool(tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    program = (
        "import logging, sys; from tocsin.handler import TocsinHandler as H; l = logging.getLogger('x');"
        "l.addHandler(H('tcp://127.0.0.1:1', 'shop', spool=sys.argv[1], key=sys.argv[2], "
        "server_key=sys.argv[3])); l.error('kept')"
    )
    arguments = [str(tmp_path / "spool"), secret.decode(), public.decode()]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, timeout=60)
    files = [file.read_bytes() for file in (tmp_path / "spool").iterdir()]
    assert any(b"kept" in content for content in files)
    assert not any(secret in content for content in files)


def _array(value: msgspec.Struct) -> list[object]:
    return list(msgspec.msgpack.decode(msgspec.msgpack.encode(value)))


def _longer(message: wire.FromHandler) -> bytes:
    return bytes([wire.VERSION]) + msgspec.msgpack.encode([*_array(message), "a field of later"])


def test_a_newer_handlers_header_is_read(running: SecuredDaemon) -> None:
    with peer(running.ipc) as client:
        longer = [*_array(header(client.header.session)), "a field of later"]
        hello = _array(wire.Hello(client.header, 0, 0, 1.0, True))
        hello[1] = longer
        assert isinstance(client.ask(b"\x01" + msgspec.msgpack.encode(hello)), wire.Welcome)
