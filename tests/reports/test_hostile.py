"""Texts from outside stay text, in every field of every page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import TEXTS
from markup import Markup
from report_data import Text, correction, error, fill_one

from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.visible_text import visible

LINE_BREAKS = r"[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"
"""What is left of a text decides how many lines of code it makes: the shape depends on nothing else of it."""


def spoiled(bad: str) -> Text:
    """Every text of strangers begins with the bad one."""
    return lambda text: bad + text


def harmless(bad: str) -> Text:
    """The same length, the same lines, and only letters."""
    return lambda text: re.sub(r"\S", "x", bad) + text


def shapes(site: Any, text: Text) -> dict[Path, Counter[Any]]:
    site.clear()
    with site.store.transaction():
        fill_one(text)
    site.write()
    read = {path.relative_to(site.root): Markup(path.read_text("utf-8")) for path in site.pages()}
    for path, page in read.items():
        for tag, attributes in page.elements:
            if tag == "span" and "class" in attributes:
                assert re.fullmatch(r"[a-z0-9 _-]*", attributes["class"] or ""), (path, attributes)
    return {path: page.shape() for path, page in read.items()}


@pytest.mark.parametrize("part", range(3))
def test_no_text_adds_an_element_or_an_attribute_to_any_page(
    make_site: Callable[..., Any], part: int
) -> None:
    site = make_site()
    expected: dict[str, Any] = {}
    for bad in TEXTS[part::3]:
        breaks = re.sub(LINE_BREAKS, "", bad)
        if breaks not in expected:
            expected[breaks] = shapes(site, harmless(bad))
        assert shapes(site, spoiled(bad)) == expected[breaks], repr(bad)


def test_a_hostile_text_is_shown_as_the_text_it_is(make_site: Callable[..., Any]) -> None:
    site = make_site()
    for bad in TEXTS[::6]:
        shapes(site, spoiled(bad))
        shown = "".join(Markup(site.read("admin/errors/1.html")).text)
        assert visible(bad) in shown, bad


def test_a_script_beside_a_page_holds_nothing_but_ascii_text(make_site: Callable[..., Any]) -> None:
    site = make_site()
    for bad in TEXTS[::7]:
        shapes(site, spoiled(bad))
        for path in site.root.rglob("admin/*.js"):
            assert path.read_text("utf-8").isascii(), path


def test_ten_megabytes_in_a_field_do_not_make_a_page_that_cannot_be_opened(
    make_site: Callable[..., Any],
) -> None:
    site = make_site()
    with site.store.transaction():
        row = error(lambda text: text, 1, title="x" * 10_000_000, source="/" + "y" * 1_000_000)
        correction(lambda text: text, row, 60.0, old_code="a = 1\n" * 1_700_000, new_code="b" * 10_000_000)
    site.write()
    assert max(path.stat().st_size for path in site.pages()) < 1_000_000


def test_a_title_with_a_hidden_direction_change_shows_it(make_site: Callable[..., Any]) -> None:
    site = make_site()
    with site.store.transaction():
        error(lambda text: text, 1, title="invoice\u202efdp.exe")
    site.write()
    assert ErrorLog.get().title == "invoice\u202efdp.exe"
    page = site.read("admin/index.html")
    assert "\u202e" not in page
    assert visible("invoice\u202efdp.exe") in page
