"""Takes a picture of every situation of a ticket as its readers see it: page x reader x language.

Run it with the test extra installed: `PYTHONPATH=tests python docs/pages/ticket_life.py`. Each situation is lived
through in a small world with its own time, so that a page shows what really follows. The pictures and the table of
them are in `docs/pages/situations/`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from playwright.sync_api import Browser, sync_playwright
from support.world import HOUR, App, World

from tocsin.daemon.corrections.recording import NewCorrection, record
from tocsin.daemon.store.database import open_store
from tocsin.daemon.tickets.conversation import Conversation
from tocsin.daemon.tickets.manual import Manual
from tocsin.reports.writer import ReportWriter

HERE = Path(__file__).parent / "situations"
DAY = 24 * HOUR
LANGUAGES = ("en", "fr")
READERS = {"client": "clients/*/tickets/1.html", "admin": "admin/tickets/1.html"}
SUBJECT = {"en": "Two invoices are missing", "fr": "Deux factures manquent"}
MESSAGE = {
    "en": "The invoices of Tuesday did not leave.",
    "fr": "Les factures de mardi ne sont pas parties.",
}
ANSWER = {"en": "We have found them: they leave tonight.", "fr": "Elles sont retrouvées et partent ce soir."}
REASON = {
    "en": "The printer was off; it is on again.",
    "fr": "L’imprimante était éteinte ; elle est rallumée.",
}
CHANGE = "Asks for the price of known articles only"


class Life(World):
    """A world that writes pages in a language, and what happens in it."""

    def __init__(self, directory: Path, language: str) -> None:
        self.language = language
        super().__init__(
            open_store(f"sqlite:///{directory / 'tocsin.db'}"),
            {
                "mail": {"admin": ["ops@dupont.example"]},
                "organisation": {"name": "Atelier Dupont", "timezone": "Europe/Paris"},
                "report": {"dir": str(directory / "report"), "language": language},
                "daemon": {"state_dir": str(directory)},
                "client": [
                    {"id": "acme", "name": "Acme", "email": "it@acme.example", "language": language}
                ],
                "service": [{"name": "nightly", "kind": "batch"}],
            },
        )  # fmt: skip
        self.manual, self.conversation = (
            Manual(self.store, self.config),
            Conversation(self.store, self.config),
        )

    def error(self, service: str = "shop") -> App:
        """An error of the client comes three times, so a ticket is opened."""
        app = self.app(service)
        app.fail(3, client="acme")
        self.live(2 * HOUR, app)
        return app

    def corrected(self) -> App:
        app = self.error()
        change = NewCorrection(
            1, "shop/orders.py", "total=prices[sku]", "total=prices.get(sku, 0)", CHANGE, "Ana"
        )
        record(self.store, self.config, [change], project=None, now=self.now)
        return app

    def quiet(self, app: App) -> App:
        """A day goes by without the error, and the check is made."""
        self.live(DAY + HOUR, app)
        self.check()
        return app

    def written(self) -> Path:
        """The directory of the pages as they are now."""
        ReportWriter(self.store, self.config).write(self.now)
        self.store.close()
        return self.config.report_dir


def by_itself(life: Life) -> None:
    life.error()


def by_itself_batch(life: Life) -> None:
    life.error("nightly")


def by_hand(life: Life) -> None:
    life.manual.open(
        SUBJECT[life.language], MESSAGE[life.language], "Ana", life.now, client_id="acme"
    )  # fmt: skip


def by_client(life: Life) -> None:
    life.conversation.open_for_client(
        "acme", SUBJECT[life.language], MESSAGE[life.language], "Zoé", life.now
    )  # fmt: skip


def answered(life: Life) -> None:
    by_client(life)
    life.now += HOUR
    life.conversation.write(1, ANSWER[life.language], "Ana", life.now)


def corrected(life: Life) -> None:
    life.live(3 * HOUR, life.corrected())


def not_exercised(life: Life) -> None:
    app = life.corrected()
    app.ran(0)
    life.quiet(app)


def unseen(life: Life) -> None:
    life.error().goodbye()
    life.live(4 * DAY)
    life.check()


def ready(life: Life) -> None:
    app = life.corrected()
    life.manual.change(1, "Ana", life.now, priority="critical")
    life.quiet(app)


def closed_corrected(life: Life) -> None:
    life.quiet(life.corrected())


def closed_quiet(life: Life) -> None:
    life.quiet(life.error())


def closed_by_hand(life: Life) -> None:
    life.error()
    life.manual.close(1, "Ana", life.now, REASON[life.language])


def reopened(life: Life) -> None:
    app = life.quiet(life.corrected())
    life.live(HOUR, app)
    app.fail(1, client="acme")


def reopened_by_hand(life: Life) -> None:
    closed_by_hand(life)
    life.now += HOUR
    life.manual.reopen(1, "Ana", life.now, MESSAGE[life.language])


class Situation(Struct, frozen=True):
    """What happened to a ticket, and how it comes to that."""

    text: str
    live: Callable[[Life], None]

    @property
    def name(self) -> str:
        return self.live.__name__.replace("_", "-")


SITUATIONS = (
    Situation("an error keeps happening", by_itself),
    Situation("an error of a batch service keeps happening", by_itself_batch),
    Situation("a ticket is opened by hand", by_hand),
    Situation("the client writes a ticket", by_client),
    Situation("the team answers it", answered),
    Situation("corrected, and watched", corrected),
    Situation("the code has not run since the correction", not_exercised),
    Situation("the application is not seen any more", unseen),
    Situation("the evidence is complete, and a person closes", ready),
    Situation("corrected, and quiet through the watch", closed_corrected),
    Situation("merely quiet through the watch", closed_quiet),
    Situation("closed by hand", closed_by_hand),
    Situation("the error came back", reopened),
    Situation("opened again by hand", reopened_by_hand),
)
HEAD = """# What the page of a ticket shows

Each situation as its client and the team see it, in English and in French. Lived through and taken by
`PYTHONPATH=tests python docs/pages/ticket_life.py`.

| situation | client | Client | admin | Admin |
| --- | --- | --- | --- | --- |
"""


def taken(browser: Browser, one: Situation, language: str) -> None:
    """Lives through the situation and takes its pictures."""
    with tempfile.TemporaryDirectory() as directory:
        life = Life(Path(directory), language)
        one.live(life)
        report, at = life.written(), life.now
        context = browser.new_context(viewport={"width": 900, "height": 600}, timezone_id="Europe/Paris")
        for reader, place in READERS.items():
            page = context.new_page()
            page.clock.set_fixed_time(datetime.fromtimestamp(at + 20, UTC))
            page.goto(next(report.glob(place)).as_uri())
            page.screenshot(path=HERE / f"{one.name}-{reader}-{language}.png", full_page=True)
        context.close()


def table() -> str:
    """The pictures as a page of Markdown."""
    lines = []
    for one in SITUATIONS:
        names = [f"{one.name}-{reader}-{language}" for reader in READERS for language in LANGUAGES]
        lines.append(f"| {one.text} | {' | '.join(f'![{name}]({name}.png)' for name in names)} |")
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    HERE.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for one in SITUATIONS:
            for language in LANGUAGES:
                taken(browser, one, language)
        browser.close()
    (HERE / "README.md").write_text(table(), "utf-8")


if __name__ == "__main__":
    main()
