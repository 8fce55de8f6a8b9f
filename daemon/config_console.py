"""What is right for `[console]` and `[openid]`, and where the console then listens and is reached."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.settings import Console, OpenId

_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.\-]+):(\d{1,5})")
_DOMAIN = re.compile(r"(?i)([a-z0-9-]+\.)+[a-z0-9-]{2,}")
_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+/?")


def check(console: Console) -> None:
    """Raises ConfigError, with the key's name, for what cannot be."""
    if console.url is not None and not _URL.fullmatch(console.url):
        raise ConfigError(f"console.url = {console.url!r}: write https://name, without a path")
    for proxy in console.proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise ConfigError(
                f"console.proxies: {proxy!r}: write an IP address, or a network as 10.0.0.0/8"
            ) from None
    if not console.listen:
        return
    match = _LISTEN.fullmatch(console.listen)
    if match is None or int(match[2]) > 65535:
        raise ConfigError(f'console.listen = {console.listen!r}: write "127.0.0.1:7580", or "" for none')
    if console.url is None and not is_loopback(match[1]):
        raise ConfigError(
            f"console.listen = {console.listen!r}: other machines reach it there; say under which address, "
            'console.url = "https://..."'
        )


def check_openid(openid: OpenId) -> None:
    """Raises ConfigError, with the key's name, for what cannot be."""
    if openid.issuer is None:
        return
    parts = urlsplit(openid.issuer)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigError(
            f"openid.issuer = {openid.issuer!r}: write https://name, as the provider names itself"
        )
    if not openid.client_id:
        raise ConfigError("openid.client_id: write what the provider calls the console")
    for domain in openid.admins_from:
        if not _DOMAIN.fullmatch(domain):
            raise ConfigError(f"openid.admins_from: {domain!r}: write a mail domain, such as example.org")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def place(console: Console) -> tuple[str, int]:
    """(host, port) to listen on."""
    host, _, port = console.listen.rpartition(":")
    return host.strip("[]"), int(port)


def address(console: Console) -> str:
    """Where people find it, without a slash at the end."""
    return console.url.rstrip("/") if console.url else f"http://{console.listen}"


def hosts(console: Console) -> frozenset[str]:
    """What a request's Host header may say, in lower case: a name that nobody gave us is an attack's."""
    port = console.listen.rpartition(":")[2]
    known = {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")} | {console.listen}
    if console.url:
        known.add(urlsplit(console.url).netloc)
    return frozenset(name.lower() for name in known)
