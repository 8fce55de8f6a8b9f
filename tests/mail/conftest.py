"""Real mail servers (TLS, log-in, every way to fail), couriers, and facts to write mails from."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from support import mail_parsers

from tocsin.daemon.config import Config
from tocsin.daemon.outgoing.courier import Courier
from tocsin.daemon.settings import Mail, Smtp
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import Store

collect_ignore = [] if mail_parsers.is_there() else ["test_mailparser.py"]

USER, PASSWORD = "tocsin", "correct-horse-battery"
START = 1_790_000_000.0


@dataclass
class Desk:
    """What a mail server got, and how it shall answer."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    log_ins: list[tuple[bytes, bytes]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    rcpt_answer: str = ""
    data_answers: list[str] = field(default_factory=list)
    drop_after_data: int = 0
    on_message: Callable[[], None] = lambda: None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.rcpt_answer:
            return self.rcpt_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else "250 taken"
        if answer.startswith("250"):
            self.messages.append(email.message_from_bytes(envelope.content, policy=default))
            self.recipients += envelope.rcpt_tos
            self.on_message()
        if self.drop_after_data > 0:
            self.drop_after_data -= 1
            server.transport.abort()
        return answer

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        self.tokens.append(args[1])
        return AuthResult(success=True)

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.log_ins.append((data.login, data.password))
        return AuthResult(
            success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False
        )


class _AnyPort(Controller):
    """Listens on a free port; aiosmtpd's own start-up probe wants a known one."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection((self.hostname, self.port), 10):
            pass


@dataclass
class Server:
    """A running mail server and how to reach it."""

    desk: Desk
    port: int

    def smtp(self, security: str = "starttls", **changes: Any) -> Smtp:
        settings = {"host": "localhost", "port": self.port, "user": USER, "password": PASSWORD,
                    "sender": "Tocsin <tocsin@example.org>", "security": security}  # fmt: skip
        return Smtp(**{**settings, **changes})


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The daemon's side: trusts the test's authority and nothing else."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def serve(authority: trustme.CA) -> Iterator[Callable[..., Server]]:
    """Starts a mail server: `security` is starttls, ssl or none, `auth` whether it knows log-ins, `utf8` SMTPUTF8."""
    running: list[Controller] = []

    def start(
        security: str = "starttls",
        certificate: trustme.LeafCert | None = None,
        auth: bool = True,
        utf8: bool = True,
    ) -> Server:
        desk = Desk()
        context = server_context(certificate or authority.issue_cert("localhost", "127.0.0.1"))
        options: dict[str, Any] = {"authenticator": desk.authenticate} if auth else {}
        if security == "ssl":
            options.update(ssl_context=context, auth_require_tls=False)
        elif security == "starttls":
            options.update(tls_context=context, require_starttls=True)
        else:
            options.update(auth_require_tls=False)
        options.update(enable_SMTPUTF8=utf8)
        controller = _AnyPort(desk, hostname="127.0.0.1", port=0, **options)
        controller.start()
        running.append(controller)
        return Server(desk, controller.port)

    yield start
    for controller in running:
        controller.stop()


class Script:
    """A server that says fixed lines and writes down every byte it gets: for servers that misbehave."""

    def __init__(self, answers: Callable[[bytes], bytes | None], greeting: bytes = b"220 here\r\n") -> None:
        self.received = b""
        self.connections = 0
        self._answers, self._greeting = answers, greeting
        # Its loop runs in its own thread only: a browser's one may be running in the test's.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = asyncio.start_server(self._talk, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(30)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(self._greeting)
        try:
            while line := await reader.readline():
                self.received += line
                answer = self._answers(line)
                if answer is None:
                    break
                writer.write(answer)
        except ConnectionError:
            pass
        writer.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    running: list[Script] = []

    def start(answers: Callable[[bytes], bytes | None], greeting: bytes = b"220 here\r\n") -> Script:
        running.append(Script(answers, greeting))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def courier(store: Store, trusting: ssl.SSLContext) -> Iterator[Callable[..., Courier]]:
    """Makes a courier for a mail server's settings."""
    made: list[Courier] = []

    def make(smtp: Smtp | None, **settings: Any) -> Courier:
        made.append(Courier(store, Config(mail=Mail(**settings), smtp=smtp), context=trusting))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def facts() -> Callable[..., dict[str, Any]]:
    """Facts as the daemon writes them, with changes."""

    def make(**changes: Any) -> dict[str, Any]:
        return {
            "ticket_id": 7, "error_id": 3, "service": "shop", "environment": "production",
            "title": "KeyError: *", "message": "order 1001 failed\nKeyError: 'size'",
            "source": "shop/views.py", "line": 41, "function": "basket", "occurrences": 5,
            "first_seen": START - 3000, "last_seen": START - 60, "client_id": "acme",
            "client_name": "Acme", "threshold": 3, "window": 3600.0, "watch_seconds": 86400.0,
            "priority": "high", "created_at": START, "ticket_url": "https://status.example.org/t/7.html",
            **changes,
        }  # fmt: skip

    return make


@pytest.fixture
def queue(store, facts):
    def put(kind: str = "detection", **changes: Any) -> None:
        values: dict[str, Any] = {"audience": "client", "recipient": "anna@example.net", "language": "fr",
                                  "ticket_id": None, "facts": facts(), "now": START}  # fmt: skip
        with store.transaction():
            outbox.queue(kind, **{**values, **changes})

    return put
