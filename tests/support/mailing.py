"""The real daemon with a mail server, and a real application whose errors it mails about."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from support.running import Daemon
from tocsin.daemon.cli import tocsin

APPLICATION = """
import json, logging, sys, time
from tocsin.handler import TocsinHandler, bind

order = json.load(sys.stdin)
handler = TocsinHandler(service=order["service"], flush_timeout=60)
log = logging.getLogger(order["logger"])
log.addHandler(handler)
began = time.perf_counter()
with bind(client=order["client"]):
    for number, text in enumerate(order["texts"]):
        try:
            raise type(order["raises"] or "Failed", (Exception,), {})(text)
        except Exception:
            log.exception("%s", text, extra={"fingerprint": [str(number)]})
delivered = handler.destination.await_delivery(order["patience"])
print(json.dumps({"delivered": bool(delivered), "seconds": time.perf_counter() - began}))
"""


class MailingDaemon(Daemon):
    """`tocsin daemon` that opens a ticket at the first occurrence and mails over a plain local server."""

    def __init__(self, place: Path, smtp_port: int | None, settings: str = "") -> None:
        super().__init__(place)
        self.smtp_port = smtp_port
        with (place / "tocsin.toml").open("a") as file:
            file.write(
                "[tickets]\nthreshold = 1\nnew_per_place = 100000\nnew_per_hour = 100000\n"
                f'[[client]]\nid = "acme"\nemail = "anna@example.net"\n{settings}\n'
            )

    @property
    def environ(self) -> dict[str, str]:
        known = {**super().environ, "TOCSIN_CONFIG": str(self.place / "tocsin.toml")}
        if self.smtp_port is None:
            return known
        mail = {"HOST": "127.0.0.1", "PORT": self.smtp_port, "FROM": "t@example.org", "SECURITY": "none"}
        return {**known, **{f"SMTP_{name}": str(value) for name, value in mail.items()}}

    def fail(self, texts: Sequence[str], patience: float = 90.0, **order: str) -> dict[str, Any]:
        """An application meets one new error for each text; whether and in how many seconds all was acked."""
        order = {"service": "shop", "logger": "shop", "client": "acme", "raises": "", **order}
        done = subprocess.run(
            [sys.executable, "-c", APPLICATION],
            input=json.dumps({**order, "texts": list(texts), "patience": patience}),
            env=self.environ, capture_output=True, text=True, timeout=patience + 60, check=True,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def ask(self, *arguments: str) -> Any:
        """What `tocsin ... --json` says."""
        done = CliRunner().invoke(tocsin, [*arguments, "--json"], env=self.environ)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)
