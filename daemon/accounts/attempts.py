"""How often somebody may try to sign in: counted in the database, so that all consoles count together.

A console that is started again has forgotten nothing.
"""

from __future__ import annotations

import ipaddress

from tocsin.daemon.accounts import random_token
from tocsin.daemon.store import attempts as rows
from tocsin.daemon.store.attempts import SignInAttempt
from tocsin.daemon.store.database import Store

WINDOW = 15 * 60.0
"""Seconds in which attempts are counted."""
OF_ONE_NETWORK = 64
"""Leading bits of an IPv6 address: who has one has all that share them."""


class Attempts:
    """At most `most` of one kind per key in the window.

    The key is who tries: somebody who guesses passwords locks out himself, not those he pretends to be.
    """

    def __init__(self, store: Store, kind: str, most: int) -> None:
        self._store = store
        self._kind = kind
        self._most = most

    def wait(self, key: str, now: float) -> float:
        """Seconds until the key may try again, 0 when it may now."""
        query = SignInAttempt.select(SignInAttempt.at).where(
            SignInAttempt.key == self._hashed(key), SignInAttempt.at > now - WINDOW
        )
        with self._store.reading():
            latest = [row.at for row in query.order_by(SignInAttempt.at.desc()).limit(self._most)]
        return min(latest[-1] + WINDOW - now, WINDOW) if len(latest) >= self._most else 0.0

    def count(self, key: str, now: float) -> None:
        """Notes an attempt that counts."""
        with self._store.transaction():
            rows.note(self._hashed(key), now, now - WINDOW)

    def clear(self, key: str) -> None:
        """Forgets the attempts of a key that has shown who it is."""
        with self._store.transaction():
            rows.forget(self._hashed(key))

    def _hashed(self, key: str) -> str:
        return random_token.hashed(f"{self._kind} {key}")


def network(address: str) -> str:
    """Whom an address stands for: itself, of IPv6 its network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, OF_ONE_NETWORK), strict=False))
