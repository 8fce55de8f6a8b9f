"""Webhooks: a message as JSON, signed, posted to an address of the public network, or to one that is permitted.

Signed as https://www.standardwebhooks.com describes. The name is resolved once and exactly the addresses found
are asked, so that no second answer of a name server counts. No redirect is followed, no proxy is asked, of
the answer only the status is read, and the whole exchange has an end.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tocsin.daemon.config_channels import Target
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.reason import Reason

CONNECT_WITHIN = 10.0
"""Seconds for one connection, read or write."""
ANSWER_WITHIN = 20.0
"""Seconds for the whole exchange, however slowly the answer trickles in."""

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""As `socket` wants it: a family, and an IP address with its port."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def signed(message_id: str, body: bytes, secret: bytes, now: float) -> dict[str, str]:
    """The headers that prove a body: its id, the moment of sending, and their signature."""
    at = str(int(now))
    content = b".".join((message_id.encode("ascii"), at.encode("ascii"), body))
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode("ascii")
    return {"webhook-id": message_id, "webhook-timestamp": at, "webhook-signature": f"v1,{signature}"}


def post(
    target: Target, message_id: str, body: bytes, now: float, context: ssl.SSLContext | None = None
) -> None:
    """Hands over one message. `context`: certificates to trust in place of the system's. Raises SendError."""
    parts = urlsplit(target.webhook)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = parts.path or "/"
    headers = {
        **signed(message_id, body, target.secret, now),
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "Tocsin",
        "Connection": "close",
    }
    found = resolve(host, port, own_network=target.own_network)
    connection = http.client.HTTPConnection(host, port)
    exchange = _Exchange()
    try:
        with exchange:
            connection.sock = exchange.connect(found, host, target)
            if parts.scheme == "https":
                connection.sock = exchange.secure(host, context or ssl.create_default_context())
            exchange.asked = True
            connection.request("POST", f"{address}?{parts.query}" if parts.query else address, body, headers)
            status = connection.getresponse().status
    except SendError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _broken(error, host, exchange) from error
    finally:
        connection.close()
    _judge(status, host)


def resolve(host: str, port: int, *, own_network: bool) -> list[Address]:
    """The addresses of a host. Raises SendError when there is none, or one of them is not to be asked."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SendError(
            Reason("the name %(server)s cannot be resolved", server=host), phase="name",
            remedy=Reason("Check the channel's webhook, and the machine's DNS"),
        ) from error  # fmt: skip
    addresses: dict[str, Address] = {str(one[4][0]): (one[0], one[4]) for one in found}
    for address in addresses:
        if not own_network and is_own_network(address):
            raise _own(host, address)
    return list(addresses.values())


def is_own_network(address: str) -> bool:
    """Whether an IP address is anything but a public one: loopback, private, link-local, multicast, ..."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(one is not None and is_own_network(str(one)) for one in inner):
            return True
        if ip.ipv4_mapped is not None:
            return False
    return not ip.is_global or ip.is_multicast


class _Exchange:
    """One connection with an end to all of it: a timeout is for one read, and a server may send a byte a second."""

    def __init__(self) -> None:
        self.asked = False
        self.late = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(ANSWER_WITHIN, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def connect(self, found: list[Address], host: str, target: Target) -> socket.socket:
        """A connection to the first address that answers. Raises OSError or SendError."""
        failure: OSError | None = None
        for family, address in found:
            if self.late:
                break
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.settimeout(CONNECT_WITHIN)
            try:
                self._socket.connect(address)
            except OSError as error:
                failure = error
                self._socket.close()
                continue
            # A public address may be this machine's own.
            if not target.own_network and self._socket.getsockname()[0] == self._socket.getpeername()[0]:
                self._socket.close()
                raise _own(host, address[0])
            return self._socket
        raise failure or TimeoutError()

    def secure(self, host: str, context: ssl.SSLContext) -> socket.socket:
        """The connection under TLS, the certificate checked. Raises OSError."""
        assert self._socket is not None
        # First under its end, then the handshake: while that lasts there is no other socket to cut.
        secured = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = secured
        if self.late:
            raise TimeoutError
        secured.do_handshake()
        return secured

    def _cut(self) -> None:
        self.late = True
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _own(host: str, address: str) -> SendError:
    return SendError(
        Reason(
            "%(server)s is an address of this machine's own network, which no webhook may have",
            server=address if host == address else f"{host} ({address})",
        ),
        phase="name", remedy=Reason("If it is meant, set own_network = true in its [[channel]]"),
    )  # fmt: skip


def _broken(error: Exception, host: str, exchange: _Exchange) -> SendError:
    """What went wrong on the way, in plain words; the address's path is a secret and not in them."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = Reason(
            "the certificate of %(server)s is not to be trusted: %(error)s",
            server=host,
            error=error.verify_message.rstrip("."),
        )
        return SendError(text, phase="TLS", remedy=Reason("For a CA of your own set SSL_CERT_FILE"))
    if isinstance(error, ssl.SSLError) and not (exchange.asked or exchange.late):
        text = Reason("%(server)s does not speak TLS", server=host)
        return SendError(text, phase="TLS", remedy=Reason("Check the webhook's port"))
    if exchange.late or isinstance(error, TimeoutError):
        text = Reason("%(server)s does not answer in time", server=host)
    elif isinstance(error, ConnectionRefusedError):
        text = Reason("%(server)s refuses the connection", server=host)
    elif exchange.asked:
        text = Reason("%(server)s closed the connection without an answer", server=host)
    else:
        text = Reason("%(server)s cannot be reached", server=host)
    remedy = Reason("Is the receiver running?")
    if exchange.asked:
        remedy = Reason("It is sent again with the same webhook-id")
    return SendError(text, phase="sending", uncertain=exchange.asked, remedy=remedy)


def _judge(status: int, host: str) -> None:
    """Raises SendError unless the receiver took the message."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        text = Reason(
            "%(server)s answers %(status)s, a redirect, and none is followed", server=host, status=status
        )
        remedy = Reason("Write the final address into the channel's webhook")
        raise SendError(text, phase="sending", remedy=remedy)
    if status in (400, 413, 415, 422):
        raise SendError(
            Reason("%(server)s answers %(status)s: it does not take this message", server=host, status=status),
            phase="sending", permanent=True, server=False, remedy=Reason("Read the receiver's log"),
        )  # fmt: skip
    refused = Reason("The receiver does not accept the signature: give both sides the same secret")
    remedies = {
        401: refused,
        403: refused,
        404: Reason("Check the path of the channel's webhook"),
        410: Reason("The receiver is gone: take the channel out"),
    }
    text = Reason("%(server)s answers %(status)s", server=host, status=status)
    raise SendError(text, phase="sending", remedy=remedies.get(status, Reason("Read the receiver's log")))
