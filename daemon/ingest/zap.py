"""Who may speak over TCP: CURVE, and the thread that answers libzmq whether a key is known (ZAP).

Fails closed: with `ZAP_ENFORCE_DOMAIN` and a named domain nobody is accepted while that thread does not
answer. Knows no messages.
"""

from __future__ import annotations

from pathlib import Path

import structlog
import zmq
from zmq.auth.thread import ThreadAuthenticator

from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.ingest import keys
from tocsin.daemon.ingest.keys import KeysError
from tocsin.daemon.settings import Daemon

DOMAIN = "tocsin"

log = structlog.get_logger()


class Gate:
    """The daemon's key pair and the clients' public keys, which any thread may `reload`."""

    def __init__(self, key: Path, clients: Path) -> None:
        """Raises KeysError."""
        self._pair = keys.read_pair(key)
        self._directory = clients
        self._known: frozenset[str] = frozenset()
        self._authenticator: ThreadAuthenticator | None = None
        self.reload()

    def start(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Begins to answer for the sockets of `context`."""
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(domain=DOMAIN, credentials_provider=self)

    def secure(self, socket: zmq.Socket[bytes]) -> None:
        """Sets what makes the socket a CURVE server of our domain; to be called before it is bound."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._pair.secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._pair.public)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def admits(self, key: str) -> bool:
        """Whether this public key may speak, now."""
        return key in self._known

    def callback(self, _domain: str, key: bytes) -> bool:
        """The authenticator's question, asked in its thread at each handshake."""
        return self.admits(key.decode("ascii", "replace"))

    def reload(self) -> None:
        """Reads the directory again. One that cannot be read admits nobody: nothing is lost by waiting."""
        before = self._known
        try:
            found = keys.clients(self._directory)
        except KeysError as error:
            log.error("no_client_admitted", reason=str(error))
            found = []
        for one in found:
            if one.problem:
                log.warning("client_key_unusable", file=one.file, reason=one.problem)
        self._known = frozenset(one.public_key for one in found if not one.problem)
        log.info("client_keys", admitted=len(self._known), revoked=len(before - self._known))

    @property
    def alive(self) -> bool:
        """Whether the thread answers; while it does not, every handshake fails."""
        return self._authenticator is not None and self._authenticator.is_alive()

    def stop(self) -> None:
        """Ends the thread, and with it all admission."""
        authenticator, self._authenticator = self._authenticator, None
        if authenticator is None:
            return
        if not authenticator.is_alive() and authenticator.pipe is not None:
            # Nobody would take the word that asks the thread to end: `stop` would wait for ever.
            authenticator.pipe.close(0)
            authenticator.pipe = None  # type: ignore[assignment]
        authenticator.stop()


def gate_for(settings: Daemon) -> Gate | None:
    """The gate that the settings ask for, None without TCP and keys.

    Raises ConfigError: an address that other machines reach is not listened on without keys.
    """
    if settings.key is None:
        for address in settings.listen:
            if keys.needs_keys(address):
                raise ConfigError(
                    f"daemon.listen = {address!r}: anybody on the network could write there; set daemon.key "
                    "and daemon.clients (tocsin keys daemon FILE), or listen on 127.0.0.1"
                )
        return None
    if settings.clients is None:
        raise ConfigError(
            f"daemon.key = {settings.key!r}: daemon.clients is missing; name the directory of the public "
            "keys that may connect (tocsin keys client NAME puts one there)"
        )
    try:
        return Gate(Path(settings.key).expanduser(), Path(settings.clients).expanduser())
    except KeysError as error:
        raise ConfigError(f"daemon.key = {settings.key!r}: {error}") from None
