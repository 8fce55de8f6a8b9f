"""A local SMTP server that delivers nothing and keeps every mail as an .eml file.

python examples/smtp_sink.py DIRECTORY [PORT]
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Keeper:
    """Writes each accepted mail to `0001-recipient.eml`, whole or not at all."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._numbers = itertools.count(1)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        recipient = re.sub(r"[^\w.@+-]", "_", ",".join(envelope.rcpt_tos))[:100]
        path = self._directory / f"{next(self._numbers):04d}-{recipient}.eml"
        content = envelope.content or b""
        part = path.with_suffix(".part")
        part.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.replace(part, path)
        return "250 kept"


async def serve(directory: Path, port: int) -> None:
    """Serves until SIGTERM or SIGINT; port 0 takes a free one and says which."""
    keeper = Keeper(directory)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: SMTP(keeper, enable_SMTPUTF8=True), "127.0.0.1", port)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
