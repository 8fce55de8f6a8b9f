"""`tocsin error ID` has all that the error's page has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.world import HOUR, World, an_error, an_exception

from tocsin.daemon import queries
from tocsin.daemon.cli import tocsin
from tocsin.daemon.runtime import clock
from tocsin.daemon.store.database import open_store
from tocsin.handler.protocol.event import CodeLocation, Frame, Raised
from tocsin.reports.writer import ReportWriter

PRINTED = """nightly import failed
Traceback (most recent call last):
  File "/srv/shop/nightly.py", line 7, in run
    load(rows)
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"""


class Desk:
    def __init__(self, directory: Path, language: str = "en") -> None:
        self.file = directory / "tocsin.toml"
        self.file.write_text(f'[daemon]\nstate_dir = "."\n[mail]\nlanguage = "{language}"\n')
        self.world = World(open_store(f"sqlite:///{directory}/tocsin.db"))
        self.world.now = clock.now() - HOUR

    def run(self, *words: str) -> str:
        done = CliRunner().invoke(tocsin, ["--config", str(self.file), *words])
        return done.stdout + done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_it_shows_the_calls_with_their_source_and_variables(desk: Desk) -> None:
    at = desk.world.now
    frame = Frame("/srv/shop/orders.py", "shop.orders", "price", 88, locals={"sku": "'A1'"})
    place = CodeLocation(frame.path, 88, first=87, source=("def price(sku):", "    return PRICES[sku]"))
    event = an_error("checkout failed", at=at, exception=Raised("KeyError", "'A1'", (frame,)))
    desk.world.app().log(event, places=[place])
    shown = desk.run("error", "1")
    assert "/srv/shop/orders.py:88, price\n" in shown
    assert "    >   88      return PRICES[sku]\n" in shown
    assert "sku = 'A1'" in shown


def test_a_printed_traceback_has_its_calls_and_source_lines(desk: Desk) -> None:
    desk.world.app().log(an_error(PRINTED, at=desk.world.now))
    shown = desk.run("error", "1")
    assert "  /srv/shop/nightly.py:7, run\n" in shown
    assert "    >    7  load(rows)\n" in shown
    assert "\njson.decoder.JSONDecodeError: Expecting value" in shown


def test_of_a_printed_traceback_only_the_application_s_calls_are_its_own(desk: Desk) -> None:
    desk.world.app().log(an_error(PRINTED, at=desk.world.now))
    found = queries.error(desk.world.store, 1)
    assert found is not None
    assert found.samples[0].event is not None
    [raised] = found.samples[0].event.exceptions
    assert [(frame.function, frame.in_app) for frame in raised.frames] == [("run", True), ("loads", False)]


def test_the_page_has_a_printed_traceback_s_calls_too(desk: Desk, tmp_path: Path) -> None:
    desk.world.configure({"report": {"dir": str(tmp_path / "pages")}})
    desk.world.app().log(an_error(PRINTED, at=desk.world.now))
    ReportWriter(desk.world.store, desk.world.config).write(desk.world.now)
    page = (tmp_path / "pages" / "admin" / "errors" / "1.html").read_text()
    assert "nightly.py:7" in page.partition('<ol class="frames"')[2]


def test_each_row_says_which_ticket_it_is_of(desk: Desk) -> None:
    desk.world.configure({"client": [{"id": "acme"}, {"id": "martin"}]})
    for client in ("acme", "martin"):
        desk.world.app().fail(3, client=client)
    opened = [line.split() for line in desk.run("error", "1").splitlines() if "Ticket opened" in line]
    assert {words[2] for words in opened} == {"1", "2"}


def test_a_sample_is_shown_by_its_number(desk: Desk) -> None:
    at = desk.world.now
    for text in ("'A1'", "'B2'"):
        exception = Raised("KeyError", text, an_exception(at).exception.frames)  # type: ignore[union-attr]
        desk.world.app().log(an_error("checkout failed", at=at, exception=exception))
    assert "KeyError: 'B2'\n\nSamples" in desk.run("error", "1")
    assert "KeyError: 'A1'\n\nSamples" in desk.run("error", "1", "--sample", "1")
    assert "error 1 has no sample 9; it has 2, 1" in desk.run("error", "1", "--sample", "9")


def test_errors_of_one_title_are_told_apart_by_place_and_newest_text(desk: Desk) -> None:
    at = desk.world.now
    for number, function in enumerate(("price", "stock", "total")):
        desk.world.app().log(an_exception(at, function=function, line=80 + number))
    listed = desk.run("errors")
    assert len({error["title"] for error in json.loads(desk.run("errors", "--json"))}) == 1
    for number in range(3):
        assert f"orders.py:{80 + number}  KeyError: * · checkout failed: KeyError: 'A1'" in listed


def test_it_is_in_french_for_a_french_reader(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "fr")
    desk.world.app().fail(3)
    shown = desk.run("error", "1")
    for heading in ("Ce qui s’est passé", "Exemples", "Tickets", "Chronologie"):
        assert f"\n{heading}" in shown
