"""What every answer is made from: the database, the configuration, the clock, the pages in both languages."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from tocsin.daemon import config_console
from tocsin.daemon.accounts.attempts import Attempts
from tocsin.daemon.config import Config
from tocsin.daemon.runtime import clock
from tocsin.daemon.store.database import Store
from tocsin.reports.console.changes import Changes
from tocsin.reports.console.lines import DrawnLines
from tocsin.reports.console.throttle import Throttle
from tocsin.reports.console.workers import Workers
from tocsin.reports.pages import Pages

if TYPE_CHECKING:
    from tocsin.reports.console.openid_provider import Provider

LANGUAGES = ("en", "fr")


class Site:
    """One console."""

    def __init__(self, store: Store, config: Config, now: Callable[[], float] = clock.now) -> None:
        self.store = store
        self.config = config
        self.now = now
        self.workers = Workers()
        self.changes = Changes(store)
        self.lines = DrawnLines()
        self.wrong_passwords = Attempts(store, "password", 5)
        """By network and user."""
        self.attempts = Attempts(store, "any", 30)
        """By network: wrong passwords of any user, links asked for, failures with the OpenID provider."""
        self.mailed_links = Attempts(store, "mailed", 3)
        """By recipient."""
        self.calls = Throttle(600, 60.0)
        """By token: calls of the API of this process."""

    def end(self) -> None:
        """Ends this process in order, as a signal would."""
        self.changes.over = True
        os.kill(os.getpid(), signal.SIGTERM)

    @cached_property
    def provider(self) -> Provider | None:
        """The OpenID provider, where one is configured."""
        openid = self.config.openid
        if openid.issuer is None:
            return None
        # Authlib takes 18 MB, which consoles without a provider can do without.
        from tocsin.reports.console.openid_provider import Provider  # noqa: PLC0415

        return Provider(openid, f"{self.address}/sign-in/openid/return", self.now)

    @cached_property
    def address(self) -> str:
        """Where people find it, without a slash at the end."""
        return config_console.address(self.config.console)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """What a Host header may say."""
        return config_console.hosts(self.config.console)

    def language(self, accepted: str) -> str:
        """The first language of an Accept-Language header that we speak; else the pages' own."""
        for part in accepted[:200].split(","):
            language = part.partition(";")[0].strip().lower()[:2]
            if language in LANGUAGES:
                return language
        return self.config.report_language

    @cached_property
    def _pages(self) -> dict[str, Pages]:
        return {language: Pages(language, self.config) for language in LANGUAGES}

    def pages(self, language: str) -> Pages:
        """The pages in that language."""
        return self._pages[language]
