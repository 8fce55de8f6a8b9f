"""Over TCP only known keys are heard, and nobody while the thread that admits them is dead."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from support.peer import Peer, curve, event, peer
from support.secured_daemon import SecuredDaemon

from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.ingest.exchange import Exchange
from tocsin.daemon.ingest.intake import Intake, IntakeError
from tocsin.daemon.ingest.keys import make_client, make_pair, read_pair, revoke
from tocsin.daemon.ingest.zap import Gate, gate_for
from tocsin.daemon.settings import Daemon
from tocsin.handler.protocol import wire

REFUSED_WITHIN = 1.0
"""Seconds in which a handshake that may succeed would have."""


def known(house: SecuredDaemon) -> dict[str, Any]:
    return curve(*read_pair(house.key), house.server_key)


def test_a_known_key_is_served_over_tcp(running: SecuredDaemon) -> None:
    with peer(running.tcp, **known(running)) as client:
        assert isinstance(client.hello(), wire.Welcome)


def test_a_unix_socket_needs_no_key_beside_tcp_with_keys(running: SecuredDaemon) -> None:
    with peer(running.ipc) as client:
        assert isinstance(client.hello(), wire.Welcome)


@pytest.mark.parametrize("what", ["unknown key", "wrong server key", "no key", "plain"])
def test_nobody_else_is_accepted_over_tcp(running: SecuredDaemon, what: str) -> None:
    options = {
        "unknown key": curve(*zmq.curve_keypair(), running.server_key),
        "wrong server key": curve(*read_pair(running.key), zmq.curve_keypair()[0].decode()),
        "no key": {},
        "plain": {"plain_username": b"shop", "plain_password": b"shop"},
    }[what]
    with peer(running.tcp, **options) as client:
        assert not client.accepted(REFUSED_WITHIN)


def test_a_real_handler_with_its_key_is_counted_over_tcp(house: SecuredDaemon) -> None:
    house.up().log_errors("a", "b", over=house.tcp, key=str(house.key), server_key=house.server_key)
    assert house.counted() == 2


def test_a_session_belongs_to_the_key_that_opened_it(running: SecuredDaemon) -> None:
    public, secret = zmq.curve_keypair()
    (running.clients / "other.pub").write_text(f'public-key = "{public.decode()}"\n')
    running.reload()
    with peer(running.tcp, **known(running)) as mine, peer(
        running.tcp, **curve(public, secret, running.server_key)
    ) as other:  # fmt: skip
        mine.hello()
        other.header = mine.header
        answers = [other.hello(), other.ask(other.batch(event("forged")))]
    assert [answer.reason for answer in answers if isinstance(answer, wire.Refusal)] == ["not_allowed"] * 2


def test_a_key_made_while_the_daemon_runs_is_admitted_after_a_reload(house: SecuredDaemon) -> None:
    house.up()
    make_client("late", house.place / "late.key", house.clients)
    house.reload()
    pair = read_pair(house.place / "late.key")
    with peer(house.tcp, **curve(*pair, house.server_key)) as client:
        assert isinstance(client.hello(), wire.Welcome)


def test_a_revoked_key_is_refused_after_a_reload_on_open_connections_and_new_ones(
    house: SecuredDaemon,
) -> None:
    house.up()
    options = known(house)
    with peer(house.tcp, **options) as before:
        assert isinstance(before.hello(), wire.Welcome)
        revoke("shop", house.clients)
        house.reload()
        answer = before.ask(before.batch(event("too late")))
        assert isinstance(answer, wire.Refusal)
        assert answer.reason == "not_allowed"
    with peer(house.tcp, **options) as after:
        assert not after.accepted(REFUSED_WITHIN)
    assert house.counted() == 0


def test_a_directory_of_keys_that_is_gone_admits_nobody(tmp_path: Path) -> None:
    public = make_client("shop", tmp_path / "shop.key", tmp_path / "clients")
    make_pair(tmp_path / "daemon.key", "the daemon")
    gate = Gate(tmp_path / "daemon.key", tmp_path / "clients")
    assert gate.admits(public)
    (tmp_path / "clients").rename(tmp_path / "elsewhere")
    gate.reload()
    assert not gate.admits(public)


class Doorman:
    """An intake with a gate in this process, and a client whose key is known."""

    def __init__(self, place: Path) -> None:
        self.server_key = make_pair(place / "daemon.key", "the daemon")
        make_client("shop", place / "shop.key", place / "clients")
        self.gate = Gate(place / "daemon.key", place / "clients")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.intake = Intake([self.address], None, self.gate)
        self.pair = read_pair(place / "shop.key")

    def client(self) -> contextlib.AbstractContextManager[Peer]:
        return peer(self.address, **curve(*self.pair, self.server_key))

    def kill_thread(self, *, closed: bool) -> None:
        """The admitting thread ends: with its socket, or leaving it open and unanswered."""
        authenticator = self.gate._authenticator
        assert authenticator is not None
        authenticator.pipe.send(b"TERMINATE")
        authenticator.thread.join(10)
        if closed:
            authenticator.zap_socket.close(0)


@pytest.fixture
def doorman(tmp_path: Path) -> Iterator[Doorman]:
    made = Doorman(tmp_path)
    yield made
    made.intake.close()


@pytest.mark.parametrize("closed", [False, True], ids=["its socket is open", "its socket is closed"])
def test_nobody_is_accepted_while_the_admitting_thread_is_dead(doorman: Doorman, closed: bool) -> None:
    with doorman.client() as client:
        assert client.accepted(20)
    doorman.kill_thread(closed=closed)
    with doorman.client() as client:
        assert not client.accepted(REFUSED_WITHIN)


def test_the_daemon_ends_when_the_admitting_thread_has_died(doorman: Doorman) -> None:
    stop = threading.Event()
    exchange = Exchange()
    exchange.over.set()
    thread = threading.Thread(target=doorman.intake.serve, args=(stop, exchange))
    thread.start()
    doorman.kill_thread(closed=False)
    assert stop.wait(20)
    thread.join(20)
    assert isinstance(doorman.intake.failure, IntakeError)


def test_the_daemon_does_not_listen_to_the_network_without_keys(house: SecuredDaemon) -> None:
    house.configure('listen = ["tcp://0.0.0.0:7571"]\n')
    done = house.tocsin("daemon")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done
    assert "tcp://0.0.0.0:7571" in done.stderr
    assert "tocsin keys daemon" in done.stderr


def test_a_key_without_the_directory_of_clients_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"daemon\.clients"):
        gate_for(Daemon(key=str(tmp_path / "daemon.key")))


def test_a_secret_key_that_others_may_read_does_not_start(tmp_path: Path) -> None:
    make_pair(tmp_path / "daemon.key", "the daemon")
    (tmp_path / "daemon.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        gate_for(Daemon(key=str(tmp_path / "daemon.key"), clients=str(tmp_path)))


def test_a_missing_key_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tocsin keys daemon"):
        gate_for(Daemon(key=str(tmp_path / "daemon.key"), clients=str(tmp_path)))


def test_loopback_needs_no_key(house: SecuredDaemon) -> None:
    house.configure(f'listen = ["{house.tcp}"]\n')
    with peer(house.up().tcp) as client:
        assert isinstance(client.hello(), wire.Welcome)
