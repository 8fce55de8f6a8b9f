"""Passwords as argon2id: made, checked, and checked as slowly where there is no such user."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

SHORTEST = 12
LONGEST = 200
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each takes 19 MB and some 30 ms of a core."""
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODYS = _HASHER.hash("nobody has this password")


def made(password: str) -> str:
    """What is stored of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Whether it is this one; without a stored one it takes as long to say no."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(stored or _NOBODYS, password[: 4 * LONGEST]) and stored is not None
        except (Argon2Error, InvalidHashError):
            return False


def is_acceptable(password: str) -> bool:
    """Long enough; not endless."""
    return SHORTEST <= len(password) <= LONGEST
