"""Random tokens of links, sessions and scripts: shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets


def new() -> str:
    """A token of 256 bits that can stand in an address."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """What the database keeps of a token. It is random: no salt and no slow hash are needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
