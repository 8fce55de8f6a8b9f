"""A console in this process, and browsers that speak with it."""

from __future__ import annotations

import re
import threading
from typing import Any

from starlette.testclient import TestClient

from tocsin.daemon.accounts import one_time_links, users
from tocsin.daemon.config import Config
from tocsin.daemon.store.database import Store
from tocsin.reports.console import passwords
from tocsin.reports.console.app import make_app
from tocsin.reports.console.server import Server, settings
from tocsin.reports.console.site import Site

PASSWORD = "correct horse battery"
URL = "http://127.0.0.1:7580"


class Console:
    """One console of a database, whose clock the test sets."""

    def __init__(self, store: Store, config: Config, now: float) -> None:
        self.store = store
        self.config = config
        self.now = now
        self.site = Site(store, config, lambda: self.now)
        self.app = make_app(self.site)

    def browser(self, **headers: str) -> Browser:
        return Browser(self, headers)

    def add(self, email: str = "ada@example.org", **more: Any) -> int:
        """A user with a password."""
        user_id = users.add(self.store, email, self.now, **more)
        users.set_password(self.store, user_id, passwords.made(PASSWORD))
        return user_id

    def signed_in(self, email: str = "ada@example.org", **more: Any) -> Browser:
        """The browser of a new user."""
        self.add(email, **more)
        browser = self.browser()
        browser.sign_in(email)
        return browser

    def as_client(self, client_id: str, email: str) -> Browser:
        """The browser of a client that came by its own mailed link."""
        link = one_time_links.make(
            self.store, one_time_links.SIGN_IN, self.now, client_id=client_id, email=email
        )
        browser = self.browser()
        assert browser.press(f"/one-time/{link}").status_code == 303
        return browser


class Browser(TestClient):
    """Keeps cookies, follows nothing by itself, and sends a page's form back with its token."""

    def __init__(self, console: Console, headers: dict[str, str]) -> None:
        super().__init__(
            console.app,
            base_url=f"http://{console.config.console.listen}",
            headers=headers,
            follow_redirects=False,
            raise_server_exceptions=False,
        )

    def token(self, page: str) -> str:
        """The CSRF token of a page's first form."""
        found = re.search(r'name="csrf" value="([^"]*)"', self.get(page).text)
        assert found, f"no form on {page}"
        return found[1]

    def press(self, page: str, to: str | None = None, **fields: str) -> Any:
        """Fills in a form of the page and sends it to `to`."""
        return self.post(to or page, data={"csrf": self.token(page), **fields})

    def sign_in(self, email: str, password: str = PASSWORD) -> Any:
        return self.press("/sign-in", email=email, password=password)


class Served:
    """The test's console on a real port, in a thread."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.up = threading.Event()
        self.server = Server(settings(console.config, console.app), console.site, self.up.set)
        self.thread = threading.Thread(target=self.server.run)

    def start(self) -> None:
        self.thread.start()
        assert self.up.wait(20)

    def stop(self) -> None:
        self.console.site.changes.over = True
        self.server.should_exit = True
        self.thread.join()
