"""A mail server for the rehearsal: STARTTLS, a log-in, and a box that keeps what comes. Runs in the tree."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult

PASSWORD = "correct horse battery"


def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


def main() -> None:
    """Serves until it is ended."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain("/opt/sink/server.pem")
    loop = asyncio.new_event_loop()
    UnthreadedController(
        Mailbox("/var/mail/box"), hostname="127.0.0.1", port=587, loop=loop, tls_context=context,
        require_starttls=True, authenticator=known, auth_required=True,
    ).begin()  # fmt: skip
    loop.run_forever()


if __name__ == "__main__":
    main()
