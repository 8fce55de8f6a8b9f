"""The connection to the mail server: through yagmail, with its traps closed.

Certificates are verified, no credential crosses a connection that is not, every wait has an end, and each
answer of the server becomes one `SendError` in plain words. Messages come complete: nothing is built here.
"""

from __future__ import annotations

import ipaddress
import json
import smtplib
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import yagmail
from yagmail.oauth2 import command_to_url, generate_oauth2_string, url_format_params

from tocsin.daemon.outgoing.headers import INTERNATIONAL, WIRE
from tocsin.daemon.reason import NONE, Reason
from tocsin.daemon.settings import Smtp

TIMEOUT = 10.0
"""Seconds for one read, write or handshake."""
REPLY_LIMIT = 20.0
"""Seconds for one whole answer, however slowly it trickles in."""

GMAIL_REMEDY = Reason(
    "Gmail and Google Workspace take no account password: turn on 2-step sign-in for the account, make an "
    "app password at https://myaccount.google.com/apppasswords and put it into SMTP_PASS"
)

Phase = Literal["settings", "name", "connection", "TLS", "log-in", "sender", "recipient", "sending"]


class SendError(Exception):
    """A mail was not sent, or nobody knows.

    `permanent`: this mail can never be delivered. `server`: the fault is the server's or the settings', so
    that other mails would meet it too. `uncertain`: the server may have taken the mail. `phase` says how far
    it came, `text` what happened, `remedy` what to do.
    """

    def __init__(
        self,
        text: Reason,
        *,
        phase: Phase,
        permanent: bool = False,
        server: bool = True,
        uncertain: bool = False,
        recipient: str | None = None,
        remedy: Reason = NONE,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.phase: Phase = phase
        self.permanent = permanent
        self.server = server
        self.uncertain = uncertain
        self.recipient = recipient
        self.remedy = remedy


class Connection:
    """One connection, logged in; used by the thread that opened it alone.

    Raises SendError when it cannot be had. `context` is for certificates of one's own; default: the system's.
    """

    def __init__(
        self, smtp: Smtp, oauth2_file: str | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self.settings = smtp
        _refuse_unsafe(smtp, oauth2_file)
        self._client = _client(smtp, oauth2_file, context or ssl.create_default_context())
        try:
            self._client.login()
        except (SendError, OSError, smtplib.SMTPException, UnicodeError) as error:
            phase: Phase = getattr(self._client.smtp, "phase", "connection")
            self._client.abandon()
            raise explain(error, smtp, phase) from error

    @property
    def server(self) -> smtplib.SMTP:
        found: smtplib.SMTP = self._client.smtp
        return found

    def envelope(self, sender: str, recipient: str) -> None:
        """MAIL FROM and RCPT TO: whether the server would take a mail. Raises SendError."""
        options = () if (sender + recipient).isascii() else ("SMTPUTF8",)
        try:
            self.server.ehlo_or_helo_if_needed()
            if options and not self.server.has_extn("smtputf8"):
                raise SendError(
                    Reason("%(server)s takes no address with letters beyond ASCII", server=self.settings.host),
                    phase="recipient",
                    permanent=True, server=False, recipient=recipient,
                )  # fmt: skip
            code, answer = self.server.mail(sender, options)
            if code != 250:
                raise _refused(code, answer, "sender", recipient)
            code, answer = self.server.rcpt(recipient)
            if code not in (250, 251):
                raise _refused(code, answer, "recipient", recipient)
        except (OSError, smtplib.SMTPException) as error:
            raise explain(error, self.settings, "sending") from error

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hands over one message to one recipient. Raises SendError; after one, `close` the connection."""
        international = not (sender + recipient).isascii()
        data = message.as_bytes(policy=INTERNATIONAL if international else WIRE)
        self.envelope(sender, recipient)
        try:
            code, answer = self.server.data(data)
        except smtplib.SMTPDataError as error:
            raise _refused(error.smtp_code, error.smtp_error, "sending", recipient) from error
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(
                Reason(
                    "%(server)s broke off taking the mail, which may have arrived (%(error)s)",
                    server=self.settings.host, error=_plain(error),
                ),
                phase="sending", uncertain=True, recipient=recipient,
                remedy=Reason("It is sent again with the same Message-ID, by which mail programs know a double"),
            ) from error  # fmt: skip
        if code != 250:
            raise _refused(code, answer, "sending", recipient)

    def reset(self) -> None:
        """Forgets the envelope. Raises SendError."""
        try:
            self.server.rset()
        except (OSError, smtplib.SMTPException) as error:
            raise explain(error, self.settings, "sending") from error

    def close(self) -> None:
        """Says goodbye where that is possible; never raises."""
        # RuntimeError: no thread can be started while the interpreter ends.
        with suppress(OSError, smtplib.SMTPException, RuntimeError):
            self.server.quit()
        self._client.abandon()


class _Patient(smtplib.SMTP):
    """smtplib's connection with an end to each answer, and a note of how far it came."""

    phase: Phase = "connection"
    _slow = False

    def getreply(self) -> tuple[int, bytes]:
        timer = threading.Timer(REPLY_LIMIT, self._cut)
        timer.daemon = True
        timer.start()
        try:
            answer = super().getreply()
        finally:
            timer.cancel()
        if self._slow:
            self.close()
            raise smtplib.SMTPServerDisconnected(f"an answer took longer than {REPLY_LIMIT:.0f} s")
        return answer

    def _cut(self) -> None:
        # A timeout is for one read; a server that sends a byte a second keeps every one of them.
        self._slow = True
        if self.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def starttls(self, **options: Any) -> tuple[int, bytes]:  # type: ignore[override]
        self.phase = "TLS"
        return super().starttls(**options)

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        self.phase = "log-in"
        return super().login(user, password, initial_response_ok=initial_response_ok)


class _PatientTLS(_Patient, smtplib.SMTP_SSL):
    pass


class _Client(yagmail.SMTP):
    """yagmail's client over our connections; its own OAuth2 log-in skips STARTTLS and checks no answer."""

    @property
    def connection(self) -> type[_Patient]:
        return _PatientTLS if self.ssl else _Patient

    def _login_oauth2(self, info: dict[str, Any]) -> None:
        self.smtp = self.connection(self.host, self.port, **self.kwargs)
        if self.starttls:
            self.smtp.starttls(**self.smtp_starttls)
        self.smtp.ehlo()
        self.is_closed = False
        self.smtp.phase = "log-in"
        token = generate_oauth2_string(self.user, _access_token(info), as_base64=True)
        code, answer = self.smtp.docmd("AUTH", "XOAUTH2 " + token)
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, answer)

    def __del__(self) -> None:
        """Nothing: yagmail's own would talk to the server from wherever the garbage is collected."""

    def abandon(self) -> None:
        """Closes the socket without a word: yagmail's own end would wait for the server."""
        self.is_closed = True
        if self.smtp is not None:
            self.smtp.close()


def _client(smtp: Smtp, oauth2_file: str | None, context: ssl.SSLContext) -> _Client:
    secure: dict[str, Any] = {"context": context} if smtp.security == "ssl" else {}
    client = _Client(
        user=smtp.user or "",
        # Never None: yagmail would ask the keyring, then the terminal.
        password=smtp.password or "",
        host=smtp.host,
        port=smtp.port,
        smtp_ssl=smtp.security == "ssl",
        smtp_starttls={"context": context} if smtp.security == "starttls" else False,
        smtp_skip_login=smtp.user is None,
        oauth2_file=_checked_oauth2(oauth2_file) if oauth2_file and smtp.user else None,
        soft_email_validation=False,
        timeout=TIMEOUT,
        **secure,
    )
    client.user = smtp.user or ""  # yagmail makes `apikey` into `apikey@gmail.com`
    client.set_logging(None)
    return client


def _refuse_unsafe(smtp: Smtp, oauth2_file: str | None) -> None:
    if smtp.user is None:
        return
    if smtp.security == "none" and not is_loopback(smtp.host):
        raise SendError(
            Reason(
                "refusing to log in to %(server)s without TLS: the password would be readable on the way",
                server=smtp.host,
            ),
            phase="settings", remedy=Reason("Set SMTP_SECURITY=starttls (port 587) or ssl (port 465)"),
        )  # fmt: skip
    if smtp.password is None and not oauth2_file:
        raise SendError(
            Reason("SMTP_USER is '%(user)s' but there is no password", user=smtp.user),
            phase="settings", remedy=Reason("Set SMTP_PASS, mail.password_file or mail.oauth2_file"),
        )  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by its name alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def explain(error: Exception, smtp: Smtp, phase: Phase) -> SendError:
    """What an exception of socket, ssl or smtplib means, in plain words."""
    where = f"{smtp.host}:{smtp.port}"
    if isinstance(error, SendError):
        return error
    if isinstance(error, socket.gaierror):
        return SendError(
            Reason("the name %(server)s cannot be resolved", server=smtp.host), phase="name",
            remedy=Reason("Check SMTP_HOST, and the machine's DNS"),
        )  # fmt: skip
    if isinstance(error, ssl.SSLCertVerificationError):
        return SendError(
            Reason(
                "the certificate of %(server)s is not to be trusted: %(error)s",
                server=where, error=error.verify_message.rstrip("."),
            ),
            phase="TLS",
            remedy=Reason(
                "SMTP_HOST must be the name in the certificate; for a CA of your own set SSL_CERT_FILE"
            ),
        )  # fmt: skip
    if isinstance(error, ssl.SSLError):
        other = "starttls" if smtp.security == "ssl" else "ssl"
        return SendError(
            Reason(
                "%(server)s does not speak TLS as SMTP_SECURITY=%(security)s wants it (%(error)s)",
                server=where, security=smtp.security, error=_plain(error),
            ),
            phase="TLS",
            remedy=Reason(
                "Try SMTP_SECURITY=%(security)s; usual are port 587 with starttls and 465 with ssl",
                security=other,
            ),
        )  # fmt: skip
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return SendError(
            Reason(
                "%(server)s does not accept user and password: %(answer)s",
                server=where, answer=_answer(error.smtp_code, error.smtp_error),
            ),
            phase="log-in", remedy=_login_remedy(smtp),
        )  # fmt: skip
    if isinstance(error, smtplib.SMTPNotSupportedError | smtplib.SMTPException) and phase in (
        "TLS",
        "log-in",
    ):
        return _not_offered(error, smtp, phase)
    if isinstance(error, UnicodeError):
        return SendError(
            Reason("user or password hold a character that the log-in cannot carry"), phase="log-in",
            remedy=Reason("Use a password of ASCII letters, digits and signs"),
        )  # fmt: skip
    text, remedy = _broken(error, where)
    return SendError(text, phase=phase, remedy=remedy)


def _broken(error: Exception, where: str) -> tuple[Reason, Reason]:
    """What happened to a connection, and what to do."""
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        text = Reason(
            "%(server)s does not answer within %(seconds)s s", server=where, seconds=f"{TIMEOUT:.0f}"
        )
        remedy = Reason("Check SMTP_HOST, SMTP_PORT and the firewall")
    elif isinstance(error, ConnectionRefusedError):
        text = Reason("%(server)s refuses the connection", server=where)
        remedy = Reason("Check SMTP_HOST and SMTP_PORT; is the server running?")
    elif isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
        text = Reason("%(server)s closed the connection", server=where)
        remedy = Reason("Port 465 wants SMTP_SECURITY=ssl, port 587 starttls")
    elif isinstance(error, smtplib.SMTPResponseException):
        answer = _answer(error.smtp_code, error.smtp_error)
        text = Reason("%(server)s says %(answer)s", server=where, answer=answer)
        remedy = Reason("Ask the server's operator")
    else:
        text = Reason("%(server)s: %(error)s", server=where, error=_plain(error))
        remedy = Reason("Check SMTP_HOST and SMTP_PORT")
    return text, remedy


def _not_offered(error: Exception, smtp: Smtp, phase: Phase) -> SendError:
    where = f"{smtp.host}:{smtp.port}"
    if phase == "TLS":
        return SendError(
            Reason(
                "%(server)s does not start TLS, so nothing was said to it, no password either (%(error)s)",
                server=where,
                error=_plain(error),
            ),
            phase="TLS",
            remedy=Reason(
                "If it is the right server, something on the way may be stripping STARTTLS; "
                "try port 465 with SMTP_SECURITY=ssl"
            ),
        )
    return SendError(
        Reason("%(server)s offers no log-in we know (%(error)s)", server=where, error=_plain(error)),
        phase="log-in", remedy=Reason("If it needs none, leave SMTP_USER and SMTP_PASS out"),
    )  # fmt: skip


def _login_remedy(smtp: Smtp) -> Reason:
    if any(name in f"{smtp.host} {smtp.user}".lower() for name in ("gmail", "google")):
        return GMAIL_REMEDY
    return Reason("Check SMTP_USER and SMTP_PASS; with 2-step sign-in most providers want an app password")


def _refused(code: int, answer: bytes | str, phase: Phase, recipient: str) -> SendError:
    """The server said no: 5xx to a recipient or a text for good, 4xx for now, 421 to all mails."""
    said = _answer(code, answer)
    # Refused for what the account may do, not for whom the mail is: setting it right lets the mail go.
    ours = phase == "sender" or code in (530, 535, 538) or (phase == "recipient" and "relay" in said.lower())
    what = {
        "sender": Reason("the server does not take the sender (SMTP_FROM): %(answer)s", answer=said),
        "recipient": Reason(
            "the server does not take %(recipient)s: %(answer)s", recipient=recipient, answer=said
        ),
    }
    later = Reason("The server asks to try later; Tocsin does")
    remedy = {
        "sender": Reason("SMTP_FROM must be an address this account may send from"),
        "recipient": Reason("Check the address") if code >= 500 else later,
    }
    return SendError(
        what.get(phase, Reason("the server does not take the mail: %(answer)s", answer=said)),
        phase=phase,
        permanent=500 <= code < 600 and not ours,
        server=ours or code == 421 or code < 0,
        recipient=recipient,
        remedy=Reason("Set SMTP_USER and SMTP_PASS: the server wants a log-in")
        if ours and phase != "sender"
        else remedy.get(phase, Reason("Read the server's answer; it may have a limit or a filter")),
    )


def _answer(code: int, answer: bytes | str) -> str:
    said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return f"{code} {' '.join(said.split())}"[:400]


def _plain(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _checked_oauth2(name: str) -> str:
    """The file's path when it is complete: with one that is not, yagmail would ask the terminal."""
    wanted = {"google_client_id", "google_client_secret", "google_refresh_token"}
    path = Path(name).expanduser()
    remedy = Reason("Make it once by hand, in Python: yagmail.SMTP('you@gmail.com', oauth2_file='FILE')")
    try:
        missing = wanted - set(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        text = Reason("mail.oauth2_file = '%(file)s': %(error)s", file=name, error=_plain(error))
        raise SendError(text, phase="settings", remedy=remedy) from error
    if missing:
        text = Reason(
            "mail.oauth2_file = '%(file)s': lacks %(keys)s", file=name, keys=", ".join(sorted(missing))
        )
        raise SendError(text, phase="settings", remedy=remedy)
    return str(path)


def _access_token(info: dict[str, Any]) -> str:
    """A fresh access token from Google for the file's refresh token; yagmail's own request has no timeout."""
    form = {
        "client_id": info["google_client_id"],
        "client_secret": info["google_client_secret"],
        "refresh_token": info["google_refresh_token"],
        "grant_type": "refresh_token",
    }
    address, data = command_to_url("o/oauth2/token"), url_format_params(form).encode()
    try:
        with urllib.request.urlopen(address, data, timeout=TIMEOUT) as answer:  # noqa: S310
            return str(json.load(answer)["access_token"])
    except (OSError, ValueError, KeyError) as error:
        raise SendError(
            Reason("Google gives no access token for mail.oauth2_file: %(error)s", error=_plain(error)),
            phase="log-in",
            remedy=Reason("Authorise the file again; a token of an app in testing ends after 7 days"),
        ) from error  # fmt: skip
