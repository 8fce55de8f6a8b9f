"""The pages in a real browser, opened from disk and over HTTP."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from hostile import CANARY, TEXTS
from playwright.sync_api import Page, expect
from report_data import NOW, correction, error, fill, fill_one, plain, ticket, write_config

from tocsin.daemon import config as configuration
from tocsin.daemon.store.database import open_store
from tocsin.daemon.store.models import ErrorLog
from tocsin.reports.writer import ReportWriter

pytestmark = pytest.mark.browser

PAGES = (
    "admin/index.html",
    "admin/errors/1.html",
    "admin/tickets/index.html",
    "admin/tickets/1.html",
    "admin/corrections.html",
    "admin/metrics.html",
    "clients/bakery-f0a1/index.html",
    "clients/bakery-f0a1/tickets/1.html",
)

Look = tuple[str, str, int]
LOOKS: tuple[Look, ...] = (("en", "light", 1280), ("fr", "dark", 390))
"""Language, theme and width. Each value stands in one of the two; TOCSIN_EVERY_LOOK=1 takes all eight."""
EVERY_LOOK: tuple[Look, ...] = tuple(
    (language, scheme, width)
    for language in ("en", "fr")
    for scheme in ("light", "dark")
    for width in (1280, 390)
)
AXE = {"resultTypes": ["violations"], "preload": False}
"""The engine must not fetch the style sheet a second time: the pages' policy forbids it, aloud."""


class Reports:
    """The same company's pages in each language, written once and only read."""

    def __init__(self, roots: dict[str, Path]) -> None:
        self.roots = roots
        self.root = roots["en"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    roots = {}
    for language in ("en", "fr"):
        data: dict[str, Any] = write_config(tmp_path_factory.mktemp(language))
        data["report"]["language"] = language
        config = configuration.parse(data, {})
        store = open_store(config.database.url)
        with store.transaction():
            fill()
        ReportWriter(store, config).write(NOW)
        store.close()
        roots[language] = config.report_dir
    return Reports(roots)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The address of a web server for a directory."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    serve = functools.partial(Quiet, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def complaints(page: Page) -> list[str]:
    return page.complaints  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("language", "scheme", "width"), EVERY_LOOK if os.environ.get("TOCSIN_EVERY_LOOK") == "1" else LOOKS
)
def test_axe_finds_nothing_to_complain_of_on_any_page(
    written: Reports, open_page: Callable[..., Page], language: str, scheme: str, width: int
) -> None:
    root = written.roots[language]
    page = open_page(root / PAGES[0], color_scheme=scheme, viewport={"width": width, "height": 900})
    for name in PAGES:
        page.goto((root / name).as_uri())
        expect(page.locator("main")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
        assert Axe().run(page, options=AXE).generate_snapshot() == "", name
    page.goto((root / PAGES[0]).as_uri())
    page.locator("[data-sheet='1']").click()
    expect(page.locator("dialog article").first).to_be_visible()
    assert Axe().run(page, "dialog", AXE).generate_snapshot() == ""


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_page_scrolls_sideways_on_a_narrow_screen_nor_complains(
    written: Reports, open_page: Callable[..., Page], language: str
) -> None:
    root = written.roots[language]
    page = open_page(root / PAGES[0])
    for name in PAGES:
        page.goto((root / name).as_uri())
        for width in (800, 390, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
    assert complaints(page) == []


def test_the_pages_work_behind_a_web_server_below_a_path(
    written: Reports, open_page: Callable[..., Page]
) -> None:
    with served(written.root.parent) as home:
        page = open_page(f"{home}/report/admin/index.html")
        for name in PAGES:
            page.goto(f"{home}/report/{name}")
            expect(page.locator("main")).to_be_visible()
        page.goto(f"{home}/report/admin/index.html")
        page.get_by_role("searchbox").fill("orders.py integrity")
        expect(page.locator("li.error:visible")).to_have_count(1)
        page.get_by_role("searchbox").fill("")
        page.locator("select[name=sort]").select_option("count")
        expect(page.locator("li.error").first).to_have_attribute("data-count", "1912")
        page.locator("#e1 input").check()
        page.get_by_role("button", name="Auto-Fix (1)").click()
        expect(page.locator(".toast")).to_contain_text("Copied")
        assert "## Error 1" in page.evaluate("navigator.clipboard.readText()")
        page.locator("#e1").get_by_role("button", name="2 corrections").click()
        expect(page.locator("dialog")).to_contain_text("An empty cart has no item.")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Metrics").click()
        expect(page.locator("h1")).to_have_text("Metrics")
        assert complaints(page) == []


@pytest.mark.parametrize("how", ["file", "http"])
def test_every_page_opens_in_every_look_and_the_list_can_be_narrowed(
    written: Reports, open_page: Callable[..., Page], how: str
) -> None:
    for language, scheme, width in EVERY_LOOK:
        root = written.roots[language]
        with served(root) as home:
            base = home if how == "http" else root.as_uri()
            page = open_page(
                f"{base}/{PAGES[-1]}", color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            for name in reversed(PAGES):
                page.goto(f"{base}/{name}")
                expect(page.locator("main")).to_be_visible()
                expect(page.locator("html")).to_have_attribute("lang", language)
            page.locator("#e1").get_by_role("button", name="2 corrections").click()
            expect(page.locator("dialog")).to_be_visible()
            page.keyboard.press("Escape")
            page.locator("select[name=state]").select_option("open")
            expect(page.locator("li.error:visible")).to_have_count(2)
            assert complaints(page) == []
            page.close()


def test_dark_and_light_have_different_grounds(written: Reports, open_page: Callable[..., Page]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (open_page(written.root / PAGES[0], color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(ground) != dark.evaluate(ground)


def test_times_are_local_with_utc_in_the_title(written: Reports, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/errors/1.html", timezone_id="Asia/Tokyo", locale="en-GB")
    last = page.locator("dt:has-text('Last seen') + dd time")
    expect(last).to_contain_text("10:58:30 PM")
    expect(last).to_have_attribute("title", "2026-11-22 13:58:30 UTC")


def test_search_state_and_service_narrow_the_list(written: Reports, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    shown = page.locator("li.error:visible")
    expect(shown).to_have_count(8)
    page.get_by_role("searchbox").fill("orders.py integrity")
    expect(shown).to_have_count(1)
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    page.locator("select[name=state]").select_option("open")
    expect(shown).to_have_count(2)
    page.locator("select[name=state]").select_option("")
    page.locator("select[name=service]").select_option("worker")
    expect(shown).to_have_count(3)


def test_sorting_puts_the_most_frequent_first(written: Reports, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    page.locator("select[name=sort]").select_option("count")
    counts = [int(item.get_attribute("data-count") or 0) for item in page.locator("li.error").all()]
    assert counts == sorted(counts, reverse=True)


def test_the_week_replaces_the_day_in_the_sparklines(
    written: Reports, open_page: Callable[..., Page]
) -> None:
    page = open_page(written.root / "admin/index.html")
    page.locator("select[name=span]").select_option("week")
    expect(page.locator("#e1 .spark.week")).to_be_visible()
    expect(page.locator("#e1 .spark.day")).to_be_hidden()


def test_the_filter_survives_a_reload(written: Reports, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    page.get_by_role("searchbox").fill("payment")
    page.reload()
    expect(page.locator("li.error:visible")).to_have_count(1)


def test_auto_fix_copies_the_markdown_of_the_chosen_errors(
    written: Reports, open_page: Callable[..., Page]
) -> None:
    page = open_page(written.root / "admin/index.html")
    expect(page.get_by_role("button", name="Auto-Fix")).to_be_disabled()
    page.locator("#e1 input").check()
    page.locator("#e3 input").check()
    page.get_by_role("button", name="Auto-Fix (2)").click()
    expect(page.locator(".toast")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "## Error 1\n" in copied
    assert "KeyError: 'item'" in copied
    assert "## Error 3\n" in copied
    assert "json.decoder.JSONDecodeError" in copied
    assert complaints(page) == []


def test_the_sheet_shows_an_errors_corrections_and_closes_by_key(
    written: Reports, open_page: Callable[..., Page]
) -> None:
    page = open_page(written.root / "admin/index.html")
    page.locator("#e1").get_by_role("button", name="2 corrections").click()
    sheet = page.locator("dialog")
    expect(sheet).to_contain_text("An empty cart has no item.")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert complaints(page) == []


def test_samples_are_stepped_through(written: Reports, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/errors/1.html")
    expect(page.locator("[data-sample]:visible")).to_have_count(1)
    page.get_by_role("button", name="Older sample").click()
    expect(page.locator("[data-at]")).to_have_text("2")
    expect(page.locator("[data-sample]:visible")).to_contain_text("1:56:40 PM")


@pytest.mark.parametrize("how", ["file", "http"])
def test_an_open_page_takes_up_a_change_and_keeps_filter_and_choice(
    make_site: Callable[..., Any], open_page: Callable[..., Page], how: str
) -> None:
    site = make_site(report={"every": "1s"})
    site.fill()
    site.write()
    with served(site.root) as home:
        page = open_page(site.root / "admin/index.html" if how == "file" else f"{home}/admin/index.html")
        takes_up_a_change(site, page)


def takes_up_a_change(site: Any, page: Page) -> None:
    page.locator("#e2 input").check()
    page.get_by_role("searchbox").fill("error")
    with site.store.transaction():
        ErrorLog.update(occurrences=77_777).where(ErrorLog.id == 2).execute()
    site.write(NOW + 1)
    expect(page.locator("#e2")).to_contain_text("77,777", timeout=15_000)
    expect(page.get_by_role("searchbox")).to_have_value("error")
    expect(page.locator("#e2 input")).to_be_checked()
    expect(page.locator("#e5")).to_be_hidden()
    assert complaints(page) == []


def test_a_daemon_without_a_sign_of_life_is_called_silent(
    written: Reports, open_page: Callable[..., Page]
) -> None:
    page = open_page(written.root / "admin/index.html")
    expect(page.locator("[data-daemon]")).to_contain_text("silent")


def test_a_search_finds_errors_of_other_pages(
    make_site: Callable[..., Any], open_page: Callable[..., Page]
) -> None:
    site = make_site()
    with site.store.transaction():
        for number in range(160):
            error(plain, number, title=f"Number {number} broke", last_seen=NOW - number)
    site.write()
    page = open_page(site.root / "admin/index.html")
    page.get_by_role("searchbox").fill("number 159")
    expect(page.locator("[data-more] a")).to_have_text("Number 159 broke")
    page.locator("[data-more] a").click()
    expect(page.locator("h1")).to_have_text("Number 159 broke")


def test_a_ticket_of_another_page_is_found_by_its_state(
    make_site: Callable[..., Any], open_page: Callable[..., Page]
) -> None:
    site = make_site()
    with site.store.transaction():
        row = error(plain, 1)
        for number in range(130):
            ticket(plain, row, f"c{number}", "closed", number + 1.0, subject=f"Ticket number {number}")
        ErrorLog.update(service="shop").execute()
    site.write()
    page = open_page(site.root / "admin/tickets/index.html")
    page.locator("select[name=state]").select_option("closed")
    expect(page.locator("[data-more] a")).to_have_count(30)
    page.get_by_role("searchbox").fill("number 129")
    expect(page.locator("[data-more] a")).to_have_text("Ticket number 129")
    page.get_by_role("link", name="2", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(30)
    assert complaints(page) == []


def test_the_keyboard_reaches_search_by_a_slash(written: Reports, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_no_hostile_text_is_ever_executed(
    make_site: Callable[..., Any], open_page: Callable[..., Page]
) -> None:
    site = make_site()
    with site.store.transaction():
        fill_one(lambda text: "".join(TEXTS[:20]) + text)
        for number, bad in enumerate(TEXTS, 10):
            row = error(lambda text, bad=bad: bad + text, number)
            correction(lambda text, bad=bad: bad + text, row, 60.0)
    site.write()
    assert CANARY in site.read("admin/index.html")
    page = open_page(site.root / PAGES[0])
    page.add_init_script("window.canary = () => { window.sung = true }")
    for name in (*(name for name in PAGES if (site.root / name).exists()), "admin/tickets/2.html"):
        page.goto((site.root / name).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
        if name == "admin/index.html":
            page.locator("#e1 input").check()
            page.get_by_role("button", name="Auto-Fix").click()
            page.locator("#e1 [data-sheet]").click()
            expect(page.locator("dialog")).to_be_visible()
        assert page.evaluate("window.sung") is None, name
    assert complaints(page) == []
