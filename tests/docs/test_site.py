"""The documentation is made without a broken link, and stands by itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.markdown import ROOT

STRICT = ("--quiet", "--nitpicky", "--fail-on-warning", "--keep-going")
CONTENTS = "# Start\n\n```{toctree}\nother\n```\n\n"
LOADED = re.compile(r"""(?:<(?:script|img|iframe)[^>]*\ssrc|<link[^>]*\shref)="(?:https?:)?//[^"]+""")
"""What a browser would fetch by itself; a link that is clicked is none."""


def make(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", *STRICT, str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = make(ROOT / "docs", target)
    assert done.returncode == 0, done.stderr
    return target


def test_every_page_is_made_without_a_warning(site: Path) -> None:
    made = {page.relative_to(site).with_suffix(".md") for page in site.rglob("*.html")}
    assert {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")} <= made


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    found = {page.name: LOADED.findall(page.read_text("utf-8")) for page in site.rglob("*.html")}
    styles = {sheet.name: re.findall(r"url\(\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8"))
              for sheet in site.rglob("*.css")}  # fmt: skip
    assert not [*filter(None, found.values()), *filter(None, styles.values())]


@pytest.mark.browser
def test_every_page_opens_on_a_telephone_without_a_complaint(site: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 380, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url[:5] != "file:" else None)
    for file in site.rglob("*.html"):
        page.goto(file.as_uri())
        fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(fits), file.name
    page.close()
    assert not said


def test_what_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path)
    wrong = "[a](no-page.md) [b](other.md#no-heading) ![c](no-picture.png) [d](../no-file)\n"
    for name, text in (("index", CONTENTS + wrong), ("other", "# Other\n"), ("orphan", "# Orphan\n")):
        (tmp_path / f"{name}.md").write_text(text)
    done = make(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    for name in ("no-page", "no-heading", "no-picture", "no-file", "orphan"):
        assert name in done.stderr
