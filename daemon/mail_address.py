"""What a mail address is, for the configuration, the clients and the mails: one rule. Asks no server."""

from __future__ import annotations

import re

import idna

from tocsin.daemon.failure import Failed

_LOCAL = re.compile(r"[^\s@<>(),;:\"\\\[\]\x00-\x1f\x7f]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9.\-_]{1,253}|\[[A-Za-z0-9.:]{3,100}\]")


class NoMailAddress(Failed, ValueError):
    """The text is no mail address; it says what would be one."""


def mail_address(text: str) -> str:
    """The address with its domain as mail servers and registries know it (IDNA 2008). Raises NoMailAddress.

    Python's own codec is IDNA 2003: there `straße.example` is `strasse.example`, somebody else's. Letters
    beyond ASCII before the `@` stay: they need a server that offers SMTPUTF8.
    """
    local, _, domain = text.strip().rpartition("@")
    if not _LOCAL.fullmatch(local) or not local.isprintable():
        raise NoMailAddress("write name@example.org")
    if len(local.encode("utf-8")) > 64:
        raise NoMailAddress("what stands before the @ is longer than 64 bytes")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise NoMailAddress("its domain cannot be registered: %(error)s", error=error) from None
    if not _DOMAIN.fullmatch(domain):
        raise NoMailAddress("write name@example.org")
    return f"{local}@{domain}"
