"""Draws the gallery of mails: every situation, in English and French, by a real browser.

Run it with the test extra installed: `python docs/mails/pictures.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright
from situations import LANGUAGES, SITUATIONS, Situation

Scheme = Literal["light", "dark"]

HERE = Path(__file__).parent


def draw(browser: Browser, situation: Situation, language: str, scheme: Scheme) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 680, "height": 400})
    page = context.new_page()
    page.set_content(situation.written(language).page)
    suffix = "-dark" if scheme == "dark" else ""
    page.screenshot(path=HERE / f"{situation.name}-{language}{suffix}.png", full_page=True)
    context.close()


def main() -> None:
    path = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for situation in SITUATIONS:
            for language in LANGUAGES:
                draw(browser, situation, language, "light")
            if situation.name == "closing":
                draw(browser, situation, "fr", "dark")
        browser.close()


if __name__ == "__main__":
    main()
