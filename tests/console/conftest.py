"""What the console's tests share: a console on a filled database."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support.console import Console, Served

from tocsin.daemon import config as configuration
from tocsin.daemon.accounts import browser_sessions
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client
from tocsin.reports.console import cookies

# Test modules are imported by path; what the pages' tests share is found beside them.
sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))

from report_data import NOW, fill_one, plain, write_config
from support.web_server import INSTALLED

collect_ignore = [] if INSTALLED else ["test_behind_web_servers.py"]


@pytest.fixture
def make_console(store: Store, tmp_path: Path) -> Iterator[Callable[..., Console]]:
    """Makes consoles on the test's database, with sections of the configuration changed."""
    made: list[Console] = []

    def make(**sections: Any) -> Console:
        data: dict[str, Any] = write_config(tmp_path / "site")
        for section, values in sections.items():
            data[section] = values if isinstance(values, list) else {**data.get(section, {}), **values}
        made.append(Console(store, configuration.parse(data, {}), NOW))
        return made[-1]

    yield make
    for console in made:
        console.site.workers.close()


@pytest.fixture
def filled(store: Store) -> None:
    """The database with an error, tickets of two clients, mails and corrections."""
    with store.transaction():
        fill_one(plain)


@pytest.fixture
def console(make_console: Callable[..., Console], filled: None) -> Console:
    """A console on the filled database."""
    return make_console(mail={"admin": ["ops@example.org"]})


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(make_console: Callable[..., Console], free_port: int, filled: None) -> Iterator[Served]:
    console = make_console(console={"listen": f"127.0.0.1:{free_port}"}, mail={"admin": ["ops@example.org"]})
    started = Served(console)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def sign_in(browser: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens the console's pages as somebody: an admin, or a client by its id."""
    contexts = []

    def go(path: str, client: str = "", language: str = "en", **options: object) -> Page:
        console = served.console
        if client:
            email = Client.get_by_id(client).email
            token = browser_sessions.begin_client(console.store, client, email, console.now)
        else:
            token = browser_sessions.begin_user(
                console.store, console.add(f"{len(contexts)}@x.example"), console.now
            )
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        address = console.site.address
        context.add_cookies([{"name": cookies.SESSION, "value": token, "url": address}])
        page = context.new_page()
        page.goto(address + path)
        return page

    yield go
    for context in contexts:
        context.close()
