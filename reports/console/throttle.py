"""How often something may fail before it must wait: per key, in memory, forgotten with time."""

from __future__ import annotations

import threading
from collections import defaultdict, deque

MOST_KEYS = 10_000


class Throttle:
    """At most `most` per key in `window` seconds. For several threads.

    The key is who tries: somebody who guesses passwords locks out himself, not those he pretends to be.
    """

    def __init__(self, most: int, window: float) -> None:
        self._most = most
        self._window = window
        self._tried: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def wait(self, key: str, now: float) -> float:
        """Seconds until the key may try again, 0 when it may now."""
        with self._lock:
            tried = self._tried.get(key)
            if tried is None:
                return 0.0
            while tried and tried[0] <= now - self._window:
                tried.popleft()
            return tried[0] + self._window - now if len(tried) >= self._most else 0.0

    def count(self, key: str, now: float) -> None:
        """Notes a try that counts."""
        with self._lock:
            if len(self._tried) >= MOST_KEYS and key not in self._tried:
                self._forget(now)
            self._tried[key].append(now)

    def clear(self, key: str) -> None:
        """Forgets the tries of a key that has shown who it is."""
        with self._lock:
            self._tried.pop(key, None)

    def _forget(self, now: float) -> None:
        for key in [key for key, tried in self._tried.items() if tried[-1] <= now - self._window]:
            del self._tried[key]
        while len(self._tried) >= MOST_KEYS:
            self._tried.pop(next(iter(self._tried)))
