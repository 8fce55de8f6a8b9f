"""Draws the gallery of mails: one ticket's conversation, in English and French, by a real browser.

Run it with the test extra installed: `python docs/mails/pictures.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.templating import Templates

Scheme = Literal["light", "dark"]

HERE = Path(__file__).parent
CONVERSATION = (("detection", "client"), ("notice", "admin"), ("validated", "admin"), ("reappeared", "admin"),
                ("closing", "client"), ("reopened", "client"))  # fmt: skip


def draw(browser: Browser, kind: str, audience: str, language: str, scheme: Scheme) -> None:
    letter = mail.write(kind, sample(kind), audience=audience, spoken=language, templates=Templates())
    context = browser.new_context(color_scheme=scheme, viewport={"width": 680, "height": 400})
    page = context.new_page()
    page.set_content(letter.html)
    suffix = "-dark" if scheme == "dark" else ""
    page.screenshot(path=HERE / f"{kind}-{language}{suffix}.png", full_page=True)
    context.close()


def main() -> None:
    path = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for kind, audience in CONVERSATION:
            for language in ("en", "fr"):
                draw(browser, kind, audience, language, "light")
        draw(browser, "digest", "admin", "en", "light")
        draw(browser, "closing", "client", "fr", "dark")
        browser.close()


if __name__ == "__main__":
    main()
