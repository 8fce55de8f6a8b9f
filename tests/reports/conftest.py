"""What the pages' tests share: a filled database, the pages written from it, pages opened in a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tocsin.daemon import config as configuration
from tocsin.daemon.config import Config
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.tables import MODELS
from tocsin.reports.writer import ReportWriter

# Test modules are imported by path; what they share is found beside them.
sys.path.insert(0, str(Path(__file__).parent))

from report_data import NOW, Text, fill, plain, write_config
from support.web_server import INSTALLED

collect_ignore = [] if INSTALLED else ["test_web_servers.py"]


class Site:
    """A database and the pages made from it."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self.writer = ReportWriter(store, config)
        self.root = config.report_dir

    def fill(self, text: Text = plain) -> None:
        with self.store.transaction():
            fill(text)

    def clear(self) -> None:
        with self.store.transaction():
            for model in reversed(MODELS):
                model.delete().execute()

    def write(self, now: float = NOW, **options: Any) -> int:
        return self.writer.write(now, **options)

    def read(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")

    def pages(self) -> list[Path]:
        found = sorted(self.root.rglob("*.html"))
        assert found, "no page is there"
        return found


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes empty sites, each in a directory of its own; one database is open at a time."""
    opened: list[Store] = []

    def make(name: str = "site", **sections: dict[str, Any]) -> Site:
        data: dict[str, Any] = write_config(tmp_path / name)
        for section, values in sections.items():
            data[section] = {**data.get(section, {}), **values}
        config = configuration.parse(data, {})
        opened.append(open_store(config.database.url))
        return Site(opened[-1], config)

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A filled database, its pages not yet written."""
    made = make_site()
    made.fill()
    return made


@pytest.fixture(params=["sqlite", "postgres"])
def either_site(request: pytest.FixtureRequest, make_site: Callable[..., Site]) -> Site:
    """A filled database of either kind, its pages not yet written."""
    postgres = request.param == "postgres"
    made = make_site(database={"url": request.getfixturevalue("postgres_url")} if postgres else {})
    made.fill()
    return made


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a file or an address; what it complained of or asked elsewhere is in `page.complaints`."""
    contexts = []

    def go(address: Path | str, **options: Any) -> Page:
        context = browser.new_context(
            **{
                "viewport": {"width": 1280, "height": 900},
                "permissions": ["clipboard-read", "clipboard-write"],
                **options,
            }
        )
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.complaints = complaints  # type: ignore[attr-defined]
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        home = address if isinstance(address, str) else address.as_uri()
        root = home.partition("/admin/")[0].partition("/clients/")[0]
        page.on(
            "request",
            lambda request: request.url.startswith(root) or complaints.append(f"request: {request.url}"),
        )
        page.goto(home)
        return page

    yield go
    for context in contexts:
        context.close()
