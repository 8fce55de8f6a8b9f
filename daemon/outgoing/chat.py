"""Chats, reached through Apprise in a process of its own: one that hangs is ended, a crash is only a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tocsin.daemon.config_channels import Target
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.reason import Reason

ANSWER_WITHIN = 60.0
"""Seconds for one message, the start of the program among them."""
INSTALL = Reason("Install the extra beside the daemon: pip install 'tocsin[channels]'")

_PROGRAM = (sys.executable, "-m", "tocsin.daemon.outgoing.chat_program")
_OURS = ("SMTP_", "TOCSIN_", "CREDENTIALS_", "PG")
"""Environment variables with these beginnings are no plugin's business."""


def send(target: Target, title: str, body: str, kind: str) -> None:
    """Hands over one message; `kind` is info, success, warning or failure. Raises SendError."""
    _run(target, title=title, body=body, type=kind, send=True)


def look_at(target: Target) -> None:
    """Whether Apprise is there and knows the address; nothing is sent. Raises SendError."""
    _run(target, send=False)


def _run(target: Target, **order: Any) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    try:
        done = subprocess.run(  # noqa: S603
            _PROGRAM, input=json.dumps({"url": target.url, **order}), env=environ, capture_output=True,
            text=True, encoding="utf-8", errors="replace", timeout=ANSWER_WITHIN, cwd="/",
        )  # fmt: skip
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SendError(
            Reason("the chat does not answer in time"),
            phase="sending",
            uncertain=True,
            remedy=Reason("Is its server up?"),
        ) from None
    except (OSError, ValueError):
        raise SendError(
            Reason("Apprise's program ended without an answer"), phase="sending", uncertain=True,
            remedy=Reason("`tocsin channel test` tries again"),
        ) from None  # fmt: skip
    _judge(str(answer.get("state")), str(answer.get("reason") or ""))


def _judge(state: str, reason: str) -> None:
    if state in ("sent", "known"):
        return
    if state == "absent":
        raise SendError(Reason("Apprise is not installed"), phase="settings", remedy=INSTALL)
    if state == "unknown":
        raise SendError(
            Reason("Apprise does not know such an address"), phase="settings",
            remedy=Reason("Compare the channel's url with https://github.com/caronc/apprise/wiki"),
        )  # fmt: skip
    if state == "mail":
        raise SendError(
            Reason("the address is a mail's"),
            phase="settings",
            remedy=Reason("Name it in mail.admin: mails go there alone"),
        )
    text = (
        Reason("the chat did not take it: %(error)s", error=reason)
        if reason
        else Reason("the chat did not take it")
    )
    raise SendError(text, phase="sending", remedy=Reason("Check the channel's url"))
