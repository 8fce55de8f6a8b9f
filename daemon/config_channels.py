"""`[[channel]]` checked, and its secrets read; knows nothing of how a channel is told.

Addresses of chats are secrets: no text that is made here shows more of one than its beginning.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Struct

from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.settings import EVENTS, Channel

SHORTEST_SECRET = 24
"""Bytes."""
SIGNING_HINT = 'make one with: echo "whsec_$(openssl rand -base64 32)" > FILE; chmod 600 FILE'

SHOWN = ("name", "on", "language", "per_hour", "own_network")
"""Keys whose values may be shown, whatever was written there."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://\S)")


class Target(Struct, frozen=True):
    """A channel with its secrets read. Exactly one of `url` and `webhook` is set."""

    name: str
    url: str = ""
    webhook: str = ""
    secret: bytes = b""
    own_network: bool = False

    def __repr__(self) -> str:
        return f"Target({self.name!r})"


def anchored(channel: Channel, base: Path) -> Channel:
    """With its files relative to `base`."""
    files = {key: getattr(channel, key) for key in ("url_file", "secret_file")}
    found = {key: str(base / Path(value).expanduser()) for key, value in files.items() if value}
    return msgspec.structs.replace(channel, **found)


def check(channels: Iterable[Channel]) -> None:
    """What spans several keys. Raises ConfigError."""
    seen: set[str] = set()
    for channel in channels:
        if channel.name in seen:
            raise ConfigError(f"channel.name = {channel.name!r} is declared twice; keep one")
        seen.add(channel.name)
        _check(channel)


def target(channel: Channel) -> Target:
    """The channel with what its files hold. Raises ConfigError."""
    url = channel.url
    if channel.url_file:
        url = _file(channel, "url_file")
        _check_url(channel, "url_file", url)
    secret = b""
    if channel.webhook:
        secret = _secret(channel)
    return Target(channel.name, url, channel.webhook, secret, channel.own_network)


def shown(url: str) -> str:
    """As much of an address as may be seen: its scheme, and a webhook's host."""
    scheme = _SCHEME.match(url)
    if not scheme:
        return "…"
    host = urlsplit(url).hostname if scheme[0].lower() in ("http", "https") and _parted(url) else None
    return f"{scheme[0]}://{host}/…" if host else f"{scheme[0]}://…"


def _check(channel: Channel) -> None:
    of = f"of channel {channel.name!r}"
    given = [key for key in ("url", "url_file", "webhook") if getattr(channel, key)]
    if len(given) != 1:
        raise ConfigError(
            f"channel: {channel.name!r} has {' and '.join(given) or 'no address'}; "
            "give it one of url, url_file and webhook"
        )
    if channel.secret_file and not channel.webhook:
        raise ConfigError(f"channel.secret_file {of} signs webhooks, and it has none; take it out")
    if channel.webhook and not channel.secret_file:
        raise ConfigError(f"channel.webhook {of} needs secret_file; {SIGNING_HINT}")
    for event in channel.on:
        if event not in EVENTS:
            close = difflib.get_close_matches(event, EVENTS, 1)
            known = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(EVENTS)}"
            raise ConfigError(f"channel.on {of}: {event!r} is no event; {known}")
    for key in ("url_file", "secret_file"):
        if re.search(r":/|whsec_|[\0\n]", getattr(channel, key)):
            raise ConfigError(f"channel.{key} {of}: name a file, and write the secret into it")
    if channel.url:
        _check_url(channel, "url", channel.url)
    if channel.webhook:
        _check_webhook(channel)


def _check_url(channel: Channel, key: str, url: str) -> None:
    of = f"channel.{key} of channel {channel.name!r}"
    scheme = _SCHEME.match(url)
    if not scheme or re.search(r"\s", url):
        raise ConfigError(f"{of} = {shown(url)!r}: write one address, such as ntfy://ntfy.example.org/errors")
    if scheme[0].lower() in ("mailto", "mailtos"):
        raise ConfigError(
            f"{of} = {shown(url)!r}: mails go through the mail server of SMTP_HOST alone; "
            "name the address in mail.admin instead"
        )


def _check_webhook(channel: Channel) -> None:
    of = f"channel.webhook of channel {channel.name!r} = {shown(channel.webhook)!r}"
    parts = _parted(channel.webhook)
    if parts is None or not parts.hostname or parts.scheme not in ("https", "http"):
        raise ConfigError(f"{of}: write https://host/path, the host in ASCII (xn--…)")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ConfigError(f"{of}: write it without user, password and #; the signature says who sends")
    if parts.scheme == "http" and not channel.own_network:
        raise ConfigError(f"{of}: write https://; http:// needs own_network = true")


def _parted(url: str) -> SplitResult | None:
    if not re.fullmatch(r"[!-~]{1,2000}", url):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _secret(channel: Channel) -> bytes:
    text = _file(channel, "secret_file")
    try:
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith("whsec_") or len(secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"channel.secret_file of channel {channel.name!r} = {channel.secret_file!r}: it holds no whsec_ "
            f"with at least {SHORTEST_SECRET} bytes in base64; {SIGNING_HINT}"
        )
    return secret


def _file(channel: Channel, key: str) -> str:
    name = getattr(channel, key)
    try:
        return Path(name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ConfigError(
            f"channel.{key} of channel {channel.name!r} = {name!r}: {reason}; "
            "make it readable for the daemon's user"
        ) from None
