"""Takes the pictures of the pages, from the tests' database, by a real browser.

Run it with the test extra installed: `PYTHONPATH=tests/reports python docs/pages/pictures.py`. With a
report's directory as its argument it takes `docs/monitoring.png`, that report's monitoring page.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from report_data import NOW, fill, write_config

from tocsin.daemon import config as configuration
from tocsin.daemon.store.database import open_store
from tocsin.reports.writer import ReportWriter

HERE = Path(__file__).parent
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
PAGES = {
    "monitoring": "admin/index.html",
    "error": "admin/errors/1.html",
    "tickets": "admin/tickets/index.html",
    "ticket": "admin/tickets/1.html",
    "corrections": "admin/corrections.html",
    "metrics": "admin/metrics.html",
    "client": "clients/bakery-f0a1/index.html",
    "client-ticket": "clients/bakery-f0a1/tickets/1.html",
}
LOOKS = (("wide", "light"), ("narrow", "dark"))
ALSO = (("wide", "dark"), ("narrow", "light"))
"""The two pages that are looked at most are shown in every look."""


def write(directory: Path, language: str) -> Path:
    """The report of the tests' small company; returns its directory."""
    data = write_config(directory / language)
    data["report"] = {**dict(data["report"]), "language": language}  # type: ignore[call-overload]
    config = configuration.parse(data, {})
    store = open_store(config.database.url)
    with store.transaction():
        fill()
    ReportWriter(store, config).write(NOW)
    store.close()
    return config.report_dir


def opened(browser: Browser, file: Path, size: str, scheme: str, at: float) -> Page:
    """A page as it looks at the moment `at` (epoch seconds)."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="Europe/Paris",
    )
    page = context.new_page()
    page.clock.set_fixed_time(datetime.fromtimestamp(at, UTC))
    page.goto(file.as_uri())
    return page


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=HERE / f"{name}.png")
    page.context.close()


def gallery(browser: Browser, directory: Path) -> None:
    english, french = (write(directory, language) for language in ("en", "fr"))
    for name, file in PAGES.items():
        for size, scheme in (*LOOKS, *(ALSO if name in ("monitoring", "error") else ())):
            shoot(opened(browser, english / file, size, scheme, NOW + 20), f"{name}-{size}-{scheme}")
    shoot(opened(browser, french / PAGES["monitoring"], "wide", "light", NOW + 20), "monitoring-fr")
    shoot(opened(browser, french / PAGES["client"], "narrow", "light", NOW + 20), "client-fr")
    sheet = opened(browser, english / PAGES["monitoring"], "wide", "light", NOW + 20)
    sheet.locator("[data-sheet='1']").click()
    sheet.locator("dialog article").first.wait_for()
    shoot(sheet, "corrections-of-an-error")


def monitoring(browser: Browser, report: Path) -> None:
    """The monitoring page of a report, as it looked when it was written."""
    status = json.loads((report / "admin" / "status.json").read_text("utf-8"))
    at = datetime.fromisoformat(status["daemon"]["alive_until"]).timestamp() + 5
    page = opened(browser, report / PAGES["monitoring"], "wide", "light", at)
    page.screenshot(path=HERE.parent / "monitoring.png", full_page=True)


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if len(sys.argv) > 1:
            monitoring(browser, Path(sys.argv[1]).absolute())
        else:
            gallery(browser, Path(directory))
        browser.close()


if __name__ == "__main__":
    main()
