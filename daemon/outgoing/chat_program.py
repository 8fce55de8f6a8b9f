"""A program of its own that sends one message through Apprise: the daemon starts it and may end it.

Standard input is JSON: `url`, `title`, `body`, `type`, and `send`, false to have the address looked at only.
Standard output is JSON: `state`, and `reason` where Apprise says why a message was not sent.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

try:
    import apprise
except ImportError:
    apprise = None  # type: ignore[assignment]

_MAIL = {"mailto", "mailtos"}


class _Complaints(logging.Handler):
    """What Apprise says of a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def main() -> None:
    """Reads the order, sends, says what came of it."""
    order = json.load(sys.stdin)
    answer = sys.stdout
    # A plugin may print; its words are not the answer.
    sys.stdout = sys.stderr
    json.dump(_sent(order), answer)


def hidden(text: str, url: str) -> str:
    """The text without any part of the address but its scheme."""
    scheme, _, rest = url.partition("://")
    parts = {part for part in re.split(r"[^\w.-]+|[.](?=\w)", rest) if len(part) > 2}
    for part in sorted({*parts, rest} - {scheme, ""}, key=len, reverse=True):
        text = text.replace(part, "…")
    return " ".join(text.split())[:200]


def _sent(order: dict[str, Any]) -> dict[str, str]:
    if apprise is None:
        return {"state": "absent"}
    complaints = _Complaints()
    logger = logging.getLogger("apprise")
    logger.addHandler(complaints)
    logger.propagate = False
    asset = apprise.AppriseAsset(app_id="Tocsin", app_desc="Tocsin", app_url="", http_redirects=False)
    plugin = apprise.Apprise.instantiate(order["url"], asset=asset, suppress_exceptions=True)
    if plugin is None or isinstance(plugin, dict):
        return {"state": "unknown"}
    schemas: Any = plugin.schemas  # untyped
    if _MAIL & set(schemas()):
        return {"state": "mail"}
    if not order["send"]:
        return {"state": "known"}
    channel = apprise.Apprise(asset=asset)
    channel.add(plugin)
    complaints.said.clear()
    try:
        done = channel.notify(
            title=order["title"], body=order["body"], notify_type=order["type"], body_format="text"
        )
    except Exception as error:  # whatever a plugin raises, the daemon gets an answer
        return {"state": "failed", "reason": type(error).__name__}
    if done:
        return {"state": "sent"}
    return {"state": "failed", "reason": hidden(next(iter(complaints.said), ""), order["url"])}


if __name__ == "__main__":
    main()
