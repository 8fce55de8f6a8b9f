"""Takes Tocsin's webhooks: verifies the signature, then prints what became known.

    python examples/webhook_receiver.py hook.secret 8080

Needs nothing but Python. Listens on this machine only; put a web server with TLS in front.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

TOLERANCE = 300
"""Seconds that a message may be old: an old one may be a copy that somebody recorded."""
LARGEST = 1_000_000
"""Bytes."""


def verify(headers: Mapping[str, str], body: bytes, secret: bytes, now: float) -> bool:
    """Whether the message comes from whoever has the secret, and is new. `headers`: names in small letters."""
    try:
        sent_at = int(headers["webhook-timestamp"])
        content = f"{headers['webhook-id']}.{sent_at}.".encode() + body
        signatures = headers["webhook-signature"].split()
    except (KeyError, ValueError):
        return False
    expected = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    known = any(hmac.compare_digest(f"v1,{expected}".encode(), one.encode()) for one in signatures)
    return known and abs(now - sent_at) <= TOLERANCE


def read_secret(file: str) -> bytes:
    return base64.b64decode(Path(file).read_text("utf-8").strip().removeprefix("whsec_"))


class Receiver(BaseHTTPRequestHandler):
    """One message a request. A message that was seen is taken and not handled again: it may come twice."""

    secret = b""
    seen: set[str] = set()  # noqa: RUF012

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() and int(length) <= LARGEST else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not verify(headers, body, self.secret, time.time()):
            self.answer(401)
            return
        if headers["webhook-id"] not in self.seen:
            self.seen.add(headers["webhook-id"])
            self.handle_message(json.loads(body))
        self.answer(204)

    def handle_message(self, message: dict[str, object]) -> None:
        """Put your own work here, and keep it short: Tocsin waits 20 seconds for the answer."""
        print(message["type"], message["subject"], flush=True)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    Receiver.secret = read_secret(sys.argv[1])
    with HTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver) as server:
        print(f"listening on port {server.server_address[1]}", flush=True)
        server.serve_forever()
