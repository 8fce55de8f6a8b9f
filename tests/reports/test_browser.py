"""The pages in a real browser, opened from disk."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hostile import CANARY, TEXTS
from playwright.sync_api import Page, expect
from report_data import NOW, correction, error, fill_one, plain

from tocsin.daemon.store.models import ErrorLog

pytestmark = pytest.mark.browser

PAGES = (
    "admin/index.html",
    "admin/errors/1.html",
    "admin/errors/3.html",
    "admin/tickets/index.html",
    "admin/tickets/1.html",
    "admin/corrections.html",
    "admin/metrics.html",
    "clients/bakery-f0a1/index.html",
    "clients/bakery-f0a1/tickets/1.html",
)

# WCAG 2 contrast of every text against the nearest opaque ground, as [ratio, needed, text].
CONTRAST = """() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("svg, .sr, option")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(channels(style.color)), light(ground(node))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push([ratio.toFixed(2), node.className, walker.currentNode.data.trim()]);
  }
  return bad;
}"""

# What a screen reader would find without a name, and headings that skip a level.
NAMELESS = """() => {
  const name = (node) => (node.getAttribute("aria-label") || node.textContent || node.placeholder
    || (node.labels && [...node.labels].map((l) => l.textContent).join("")) || "").trim();
  const named = "a, button, input, select, progress, summary, [role=group], [role=img], nav";
  const bad = [...document.querySelectorAll(named)]
    .filter((node) => !node.closest("[aria-hidden=true]") && !name(node))
    .map((node) => node.outerHTML.slice(0, 80));
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (level && next > level + 1) bad.push(`${heading.outerHTML.slice(0, 60)} after h${level}`);
    level = next;
  }
  if (!document.documentElement.lang || !document.title || !document.querySelector("main")) bad.push("page");
  return bad;
}"""


@pytest.fixture
def written(site: Any) -> Any:
    site.write()
    return site


def complaints(page: Page) -> list[str]:
    return page.complaints  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_opens_without_complaint_named_and_with_contrast(
    written: Any, open_page: Callable[..., Page], scheme: str
) -> None:
    page = open_page(written.root / PAGES[0], color_scheme=scheme)
    for name in PAGES:
        page.goto((written.root / name).as_uri())
        expect(page.locator("main")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
        assert page.evaluate(CONTRAST) == [], name
        assert page.evaluate(NAMELESS) == [], name
    assert complaints(page) == []


def test_no_page_scrolls_sideways_on_a_narrow_screen(written: Any, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / PAGES[0])
    for name in PAGES:
        page.goto((written.root / name).as_uri())
        for width in (800, 390, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)


def test_the_pages_work_behind_a_web_server_below_a_path(
    written: Any, open_page: Callable[..., Page]
) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    serve = functools.partial(Quiet, directory=str(written.root.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = open_page(f"http://127.0.0.1:{server.server_port}/report/admin/index.html")
        page.locator("#e1").get_by_role("button", name="2 corrections").click()
        expect(page.locator("dialog")).to_contain_text("An empty cart has no item.")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Metrics").click()
        expect(page.locator("h1")).to_have_text("Metrics")
        assert complaints(page) == []
        server.shutdown()


def test_dark_and_light_have_different_grounds(written: Any, open_page: Callable[..., Page]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (open_page(written.root / PAGES[0], color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(ground) != dark.evaluate(ground)


def test_times_are_local_with_utc_in_the_title(written: Any, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/errors/1.html", timezone_id="Asia/Tokyo", locale="en-GB")
    last = page.locator("dt:has-text('Last seen') + dd time")
    expect(last).to_contain_text("10:58:30 PM")
    expect(last).to_have_attribute("title", "2026-11-22 13:58:30 UTC")


def test_search_state_and_service_narrow_the_list(written: Any, open_page: Callable[..., Page]) -> None:
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


def test_sorting_puts_the_most_frequent_first(written: Any, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    page.locator("select[name=sort]").select_option("count")
    counts = [int(item.get_attribute("data-count") or 0) for item in page.locator("li.error").all()]
    assert counts == sorted(counts, reverse=True)


def test_the_week_replaces_the_day_in_the_sparklines(written: Any, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    page.locator("select[name=span]").select_option("week")
    expect(page.locator("#e1 .spark.week")).to_be_visible()
    expect(page.locator("#e1 .spark.day")).to_be_hidden()


def test_the_filter_survives_a_reload(written: Any, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/index.html")
    page.get_by_role("searchbox").fill("payment")
    page.reload()
    expect(page.locator("li.error:visible")).to_have_count(1)


def test_auto_fix_copies_the_markdown_of_the_chosen_errors(
    written: Any, open_page: Callable[..., Page]
) -> None:
    page = open_page(written.root / "admin/index.html")
    page.get_by_role("button", name="Auto-Fix").click()
    expect(page.locator(".toast")).to_contain_text("Choose errors first")
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
    written: Any, open_page: Callable[..., Page]
) -> None:
    page = open_page(written.root / "admin/index.html")
    page.locator("#e1").get_by_role("button", name="2 corrections").click()
    sheet = page.locator("dialog")
    expect(sheet).to_contain_text("An empty cart has no item.")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert complaints(page) == []


def test_samples_are_stepped_through(written: Any, open_page: Callable[..., Page]) -> None:
    page = open_page(written.root / "admin/errors/1.html")
    expect(page.locator("[data-sample]:visible")).to_have_count(1)
    page.get_by_role("button", name="Older sample").click()
    expect(page.locator("[data-at]")).to_have_text("2")
    expect(page.locator("[data-sample]:visible")).to_contain_text("1:56:40 PM")


def test_an_open_page_takes_up_a_change_and_keeps_filter_and_choice(
    make_site: Callable[..., Any], open_page: Callable[..., Page]
) -> None:
    site = make_site(report={"every": "1s"})
    site.fill()
    site.write()
    page = open_page(site.root / "admin/index.html")
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
    written: Any, open_page: Callable[..., Page]
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


def test_the_keyboard_reaches_search_by_a_slash(written: Any, open_page: Callable[..., Page]) -> None:
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
    for name in ("admin/index.html", "admin/errors/1.html", "admin/corrections.html", "admin/tickets/1.html"):
        page = open_page(Path(site.root / name))
        page.evaluate("() => { window.canary = () => { document.title = 'sung' } }")
        if name == "admin/index.html":
            page.locator("#e1 input").check()
            page.get_by_role("button", name="Auto-Fix").click()
            page.locator("#e1 [data-sheet]").click()
            expect(page.locator("dialog")).to_be_visible()
        assert page.title() != "sung"
        assert complaints(page) == []
