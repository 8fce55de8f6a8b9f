"""Takes the pictures of the pages, from the tests' database, by a real browser.

Run it with the test extra installed: `PYTHONPATH=tests:tests/reports python docs/pages/pictures.py`. With a
report's directory as its argument it takes `docs/monitoring.png`, that report's monitoring page; with `console`
only the console's pictures.
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
from support.console import Console, Served

from tocsin.daemon import config as configuration
from tocsin.daemon.accounts import browser_sessions
from tocsin.daemon.store.database import Store, open_store
from tocsin.daemon.store.models import Client, User
from tocsin.daemon.tickets.conversation import Conversation
from tocsin.reports.console import cookies
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
CONSOLE = {
    "errors": "/errors",
    "error": "/errors/1",
    "ticket": "/tickets/1",
    "mail": "/mails/4",
    "users": "/users",
    "system": "/system",
    "client-ticket": "/my/tickets/1",
    "sign-in": "/sign-in",
}
CONSOLE_FRENCH = ("errors", "client-ticket")
CLIENT = "bakery"
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


def console(browser: Browser, directory: Path) -> None:
    """The served pages, as an admin and as a client see them."""
    data = write_config(directory / "console")
    data["console"] = {"listen": "127.0.0.1:7589"}
    config = configuration.parse(data, {})
    store = open_store(config.database.url)
    with store.transaction():
        fill()
    talk(store, config)
    served = Served(Console(store, config, NOW + 20))
    served.start()
    for language in ("en", "fr"):
        Client.update(language=language, timezone="Europe/Paris").where(Client.id == CLIENT).execute()
        served.console.add(
            f"ada.{language}@example.org", name="Ada", language=language, timezone="Europe/Paris"
        )
        for name, path in CONSOLE.items():
            if language == "en" or name in CONSOLE_FRENCH:
                for size, scheme in LOOKS:
                    page = signed_in(browser, served.console, name, language, size, scheme)
                    page.goto(served.console.site.address + path)
                    shoot(page, f"console-{name}-{size}-{scheme}" + ("-fr" if language == "fr" else ""))
    served.stop()
    store.close()


def talk(store: Store, config: configuration.Config) -> None:
    """A question of the client's and the team's answer."""
    conversation = Conversation(store, config)
    conversation.write(
        1, "Customers call: the cart stays empty.", "Erik Lindqvist", NOW - 7200, sender="client"
    )
    conversation.write(1, "We have found it; a correction is being tested.", "Ada", NOW - 3600)


def signed_in(browser: Browser, site: Console, name: str, language: str, size: str, scheme: str) -> Page:
    """A page of whoever such a picture is of, before it goes anywhere."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="Europe/Paris",
        locale=language,
    )
    if name.startswith("client"):
        email = Client.get_by_id(CLIENT).email
        token = browser_sessions.begin_client(site.store, CLIENT, email, site.now)
    else:
        user = User.get(User.email == f"ada.{language}@example.org")
        token = browser_sessions.begin_user(site.store, user.id, site.now)
    if name != "sign-in":
        context.add_cookies([{"name": cookies.SESSION, "value": token, "url": site.site.address}])
    page = context.new_page()
    page.clock.set_fixed_time(datetime.fromtimestamp(site.now, UTC))
    return page


def monitoring(browser: Browser, report: Path) -> None:
    """The monitoring page of a report, as it looked when it was written."""
    status = json.loads((report / "admin" / "status.json").read_text("utf-8"))
    at = datetime.fromisoformat(status["daemon"]["alive_until"]).timestamp() + 5
    page = opened(browser, report / PAGES["monitoring"], "wide", "light", at)
    page.screenshot(path=HERE.parent / "monitoring.png", full_page=True)


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if sys.argv[1:] == ["console"]:
            console(browser, Path(directory))
        elif len(sys.argv) > 1:
            monitoring(browser, Path(sys.argv[1]).absolute())
        else:
            gallery(browser, Path(directory))
            console(browser, Path(directory))
        browser.close()


if __name__ == "__main__":
    main()
