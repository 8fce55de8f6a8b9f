"""Hostile peers: the daemon stays small, and a valid client is served within two seconds."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from support.peer import curve, frame, peer, raw_connection, shake_hands
from support.running import until
from support.secured_daemon import SecuredDaemon

from tocsin.daemon.ingest.keys import read_pair
from tocsin.handler.protocol import wire

LONG = os.environ.get("TOCSIN_SOAK") == "1"
MUTATING = 60.0 if LONG else 1.5
"""Seconds of mutated bytes."""
SILENT = 5000 if LONG else 1500
PARTS = 3000 if LONG else 900
MEGABYTE = 1024 * 1024
SMALL = 300 * MEGABYTE
FLOODED = SMALL if LONG else 2 * SMALL
"""Bytes, at most, under a flood: in parallel with other tests the daemon may look late."""
SERVED_WITHIN = 2.0 if LONG else 10.0
"""Seconds; in parallel with other tests the machine is busy."""


@pytest.fixture
def plain(house: SecuredDaemon) -> SecuredDaemon:
    """The daemon on loopback without keys: whoever is on the machine gets through the handshake."""
    house.configure(f'listen = ["{house.ipc}", "{house.tcp}"]\n')
    return house.up()


def served(house: SecuredDaemon, endpoint: str, **options: object) -> bool:
    """A valid client gets its answer in time, on this connection or, where that was cut, on the next."""
    begun = time.monotonic()
    while time.monotonic() - begun < SERVED_WITHIN:
        # As a handler does, it begins again where its connection was cut and so no answer will come.
        left = min(SERVED_WITHIN - (time.monotonic() - begun), 0.5)
        with peer(endpoint, **options) as client, contextlib.suppress(AssertionError):
            if isinstance(client.ask(wire.Hello(client.header, 0, 0, time.time(), True), left), wire.Welcome):
                return True
    return False


@contextlib.contextmanager
def meanwhile(attack: object) -> Iterator[None]:
    """The attack goes on in a thread until the block ends."""
    over = threading.Event()
    thread = threading.Thread(target=attack, args=(over,))  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def pour(address: str | tuple[str, int], blocks: Iterator[bytes], over: threading.Event) -> None:
    """Sends until told to stop, on a new connection whenever the daemon cuts it."""
    connection: socket.socket | None = None
    while not over.is_set():
        try:
            if connection is None:
                connection = raw_connection(address)
                shake_hands(connection)
            connection.sendall(next(blocks))
        except StopIteration:
            break
        except OSError:
            if connection is not None:
                connection.close()
            connection = None
    if connection is not None:
        connection.close()


@pytest.mark.parametrize("over_tcp", [False, True], ids=["unix socket", "tcp"])
def test_unfinished_messages_do_not_fill_the_memory(plain: SecuredDaemon, over_tcp: bool) -> None:
    address = ("127.0.0.1", plain.port) if over_tcp else f"{plain.place}/s"
    part = frame(bytes(MEGABYTE - 1), more=True)
    sent = threading.Event()

    def blocks() -> Iterator[bytes]:
        for _ in range(PARTS):
            yield part
        sent.set()

    with meanwhile(lambda over: pour(address, blocks(), over)):
        assert served(plain, plain.ipc)
        assert sent.wait(60)
    assert plain.memory() < FLOODED
    assert served(plain, plain.ipc)


def test_a_gigabyte_frame_is_cut_off_at_its_header(plain: SecuredDaemon) -> None:
    def blocks() -> Iterator[bytes]:
        yield frame(b"", claimed=1024 * MEGABYTE)
        while True:
            yield bytes(MEGABYTE)

    with meanwhile(lambda over: pour(f"{plain.place}/s", blocks(), over)):
        assert served(plain, plain.ipc)
        assert served(plain, plain.tcp)
    assert plain.memory() < SMALL


def test_thousands_of_silent_connections_keep_nobody_out(house: SecuredDaemon) -> None:
    house.up()
    client = curve(*read_pair(house.key), house.server_key)
    with contextlib.ExitStack() as silent:
        for _ in range(SILENT):
            silent.enter_context(raw_connection(("127.0.0.1", house.port)))
        assert served(house, house.tcp, **client)
        assert served(house, house.ipc)
        assert house.memory() < SMALL


def test_mutated_bytes_on_the_port_disturb_nobody(house: SecuredDaemon) -> None:
    house.up()
    client = curve(*read_pair(house.key), house.server_key)
    chance = random.Random(20)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
    command = b"\x04\xc8\x05HELLO" + bytes(194)

    def attack(over: threading.Event) -> None:
        end = time.monotonic() + MUTATING
        while not over.is_set() and time.monotonic() < end:
            said = bytearray(greeting + command + chance.randbytes(200))
            for _ in range(chance.randrange(1, 8)):
                said[chance.randrange(len(said))] = chance.randrange(256)
            with contextlib.suppress(OSError), raw_connection(("127.0.0.1", house.port)) as connection:
                connection.sendall(said)

    over = threading.Event()
    threads = [threading.Thread(target=attack, args=(over,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert served(house, house.tcp, **client)
    for thread in threads:
        thread.join()
    assert served(house, house.tcp, **client)
    assert house.memory() < SMALL


def test_mutated_messages_disturb_nobody(plain: SecuredDaemon) -> None:
    chance = random.Random(21)
    with peer(plain.ipc) as client:
        hello = wire.encode(wire.Hello(client.header, 0, 0, time.time(), True))
        assert client.accepted(20)
        for _ in range(3000):
            said = bytearray(hello)
            for _ in range(chance.randrange(1, 6)):
                said[chance.randrange(1, len(said))] = chance.randrange(256)
            client.socket.send(
                bytes(said[: chance.randrange(1, len(said))] if chance.random() < 0.3 else said)
            )
        assert served(plain, plain.ipc)
    assert plain.process is not None
    assert plain.process.poll() is None


def test_messages_of_other_shapes_are_dropped_and_the_peer_goes_on(plain: SecuredDaemon) -> None:
    with peer(plain.ipc) as client:
        assert client.accepted(20)
        client.socket.send_multipart([b"a", b"b"])
        client.socket.send(b"")
        client.socket.send(b"\x01" + b"\x91" * 100_000)
        assert isinstance(client.hello(), wire.Welcome)
    assert until(lambda: "message_dropped" in plain.written())


def test_a_batch_of_endless_empty_frames_costs_no_memory(plain: SecuredDaemon) -> None:
    with peer(plain.ipc) as client:
        client.hello()
        frames = b"\xdd" + (340_000).to_bytes(4, "big") + b"\x92\x00\xc0" * 340_000
        message = b"\x01\x95\x02" + b"\xa1s" + b"\x00" + b"\x00" + frames
        for _ in range(50):
            client.socket.send(message)
        assert served(plain, plain.ipc)
    assert plain.memory() < SMALL
