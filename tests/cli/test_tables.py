"""Listings on terminals: what is on them is whole at every width, and what matters stands first."""

from __future__ import annotations

import json
import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.command_catalogue import catalogue, untranslated
from support.terminal import commands_on_terminal
from support.world import HOUR, World, an_error

from tocsin.daemon.cli import tocsin
from tocsin.daemon.cli.tables import INDENT, Column, labelled, table
from tocsin.daemon.cli.wording import words
from tocsin.daemon.corrections.recording import NewCorrection, record
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.reason import Reason
from tocsin.daemon.runtime import clock
from tocsin.daemon.store import outbox
from tocsin.daemon.store.database import open_store
from tocsin.daemon.tickets.manual import Manual
from tocsin.daemon.time_zone import TimeZone

LONG = "shop-checkout-and-payment"
MOMENT = Moment(1_795_000_000)
UTC = TimeZone("UTC")
LISTINGS = {
    "errors": ("service", "title", "last_seen"),
    "tickets": ("subject", "client_id", "created_at"),
    "corrections": ("applied_by", "title", "service", "applied_at"),
    "mail outbox": ("recipient", "created_at", "last_error"),
    "clients list": ("id", "name", "email", "folder"),
}
OTHERS = ("status", "metrics", "check", "ticket 1", "error 1")


class Shop:
    """A configuration whose database has long names in it, a muted error, and mails that could not go."""

    def __init__(self, directory: Path, language: str) -> None:
        self.directory = directory
        self.file = directory / "tocsin.toml"
        self.file.write_text(
            f'[daemon]\nstate_dir = "."\n[mail]\nlanguage = "{language}"\nadmin = ["ops@example.org"]\n'
            '[[client]]\nid = "etablissements-martin"\nname = "Établissements Martin & Fils SA"\n'
            'email = "informatique@etablissements-martin.example"\n'
        )
        self.world = World(open_store(f"sqlite:///{directory}/tocsin.db"))
        self.world.now = clock.now() - HOUR
        self.world.configure(tomllib.loads(self.file.read_text()))
        self.world.app(LONG).fail(3, client="etablissements-martin")
        at = self.world.now
        text = "the voucher could not be applied to the shopping cart of this customer in this country"
        self.world.app("nightly").log(an_error(text, at=at))
        self.world.now = at - 5 * HOUR
        self.world.app("till").log(an_error("printer on fire", at=self.world.now))
        self.world.now = at
        (directory / "orders.py").write_text("total = prices.get(sku)\n")
        change = NewCorrection(
            1, "orders.py", "total = prices[sku]", "total = prices.get(sku)", "", "copilot"
        )
        record(self.world.store, self.world.config, [change], project=directory, now=at, applied_at=None)
        Manual(self.world.store, self.world.config).mute(2, "ana", at, until=at + 48 * HOUR, rate=None)
        with self.world.store.transaction():
            outbox.mark_retry(
                1, Reason("the server said: 550 mailbox unavailable, ask your administrator"), True, at
            )

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(tocsin, ["--config", str(self.file), *words])

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)

    @cache  # noqa: B019  (the shop lives as long as the module's tests)
    def screens(self, columns: int) -> dict[str, str]:
        """What each command shows on a terminal so wide."""
        commands = [*LISTINGS, *OTHERS]
        typed = json.dumps([[*command.split(), "--config", str(self.file)] for command in commands])
        environ = {**os.environ, "XDG_STATE_HOME": str(self.directory)}
        shown = commands_on_terminal(typed, columns, self.directory, environ)
        return dict(zip(commands, shown, strict=True))


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shop]:
    return {language: Shop(tmp_path_factory.mktemp(language), language) for language in ("en", "fr")}


@pytest.fixture
def shop(shops: dict[str, Shop]) -> Shop:
    return shops["en"]


@pytest.mark.parametrize("command", LISTINGS)
@pytest.mark.parametrize("columns", [80, 60, 40])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_nothing_in_a_listing_is_broken(
    shops: dict[str, Shop], language: str, columns: int, command: str
) -> None:
    shop = shops[language]
    shown = shop.screens(columns)[command]
    for row in shop.json(*command.split()):
        for key in LISTINGS[command]:
            for word in at_the_minute(row[key]):
                assert word in shown, (key, shown)


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_line_is_wider_than_the_terminal(shops: dict[str, Shop], language: str, columns: int) -> None:
    for command, shown in shops[language].screens(columns).items():
        for line in shown.splitlines():
            assert cell_len(line) <= columns or line.startswith("! "), (command, line)


def at_the_minute(value: str | None) -> list[str]:
    """The parts of a JSON value that must stand in the table as they are."""
    if value and value.endswith("Z") and value[:2] == "20":
        return [value[:16].replace("T", " ")]
    return (value or "").split()


def test_titles_are_in_the_reader_s_language(shops: dict[str, Shop]) -> None:
    head = shops["fr"].screens(80)["errors"].splitlines()[0].split("  ")
    assert [title.strip() for title in head if title.strip()][:3] == ["n°", "état", "fois"]


def test_every_text_has_its_french_and_is_compiled() -> None:
    known = catalogue()
    assert not untranslated(known)
    french = words("fr")
    single = [one for one in known if one.id and isinstance(one.id, str)]
    assert not [one.id for one in single if french.gettext(str(one.id)) != one.string]


@pytest.mark.parametrize(
    ("language", "answer"),
    [("en", "clients read no text of its own"), ("fr", "les clients ne lisent pas de texte propre")],
)
def test_a_change_is_answered_in_the_reader_s_language(
    shops: dict[str, Shop], language: str, answer: str
) -> None:
    assert shops[language].run("describe", "3", "").stdout.startswith(answer)


def test_an_error_that_is_muted_is_marked(shop: Shop) -> None:
    [line] = [line for line in shop.run("errors").stdout.splitlines() if "voucher" in line]
    assert line.split()[:2] == ["2", "muted"]


def test_a_narrow_terminal_puts_the_text_below_its_row() -> None:
    columns = [Column("id", number=True), Column("last seen"), Column("error", text=True)]
    made = table(columns, [[17, MOMENT, "the voucher is unknown in this shop"]], 40, UTC)
    assert made.body == ["17  2026-11-18 11:06", "    the voucher is unknown in this shop"]


def test_a_moment_is_told_in_the_zone_that_its_title_names() -> None:
    made = table([Column("last seen"), Column("error")], [[MOMENT, "x"]], 80, TimeZone("Europe/Paris"))
    assert (made.head, made.body) == (["last seen (Paris)  error"], ["2026-11-18 12:06   x"])


def test_a_moment_in_summer_is_told_in_summer_time() -> None:
    [line] = labelled([("opened", Moment(1784376000.0))], 80, TimeZone("Europe/Paris"))
    assert line == "opened (Paris)  2026-07-18 14:00"


def test_a_title_above_no_moment_names_no_zone() -> None:
    assert labelled([("last check", "none yet")], 80, UTC) == ["last check  none yet"]


def test_a_listing_has_the_organisation_s_zone(shop: Shop) -> None:
    file = shop.directory / "new_york.toml"
    file.write_text(f'{shop.file.read_text()}[organisation]\ntimezone = "America/New_York"\n')
    assert "last seen (New York)" in CliRunner().invoke(tocsin, ["--config", str(file), "errors"]).stdout


def test_elsewhere_than_on_a_terminal_each_row_is_one_line(shop: Shop) -> None:
    assert len(shop.run("errors").stdout.splitlines()) == 4


def test_a_column_without_any_value_is_left_out() -> None:
    assert table([Column("a"), Column("b")], [["x", None]], 80, UTC).head == ["a"]


cell = st.text(st.characters(codec="utf-8"), max_size=60) | st.integers() | st.none() | st.just(MOMENT)


@given(st.lists(st.tuples(cell, cell, cell, cell), min_size=1, max_size=5), st.integers(20, 120))
def test_every_word_is_whole_and_no_line_is_too_wide_for_words_that_fit(rows: Any, width: int) -> None:
    columns = [
        Column("one"),
        Column("two", number=True),
        Column("three", text=True),
        Column("four", text=True),
    ]
    whole = [word for line in table(columns, rows, None, UTC).body for word in line.split(" ") if word]
    made = table(columns, rows, width, UTC)
    assert sorted(word for line in made.body for word in line.split(" ") if word) == sorted(whole)
    widest = max((cell_len(word) for word in whole), default=0)
    for line in made.body:
        assert cell_len(line) <= max(width, widest + INDENT)


def test_a_long_value_goes_on_below_itself() -> None:
    assert labelled([("error", "the till is slow"), ("client", None), ("by", "ana")], 20, UTC) == [
        "error  the till is", "       slow", "by     ana",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["errors", "--service", "till"], [3]),
        (["errors", "--client", "etablissements-martin"], [1]),
        (["errors", "--since", "3h"], [2, 1]),
        (["errors", "--limit", "1"], [2]),
        (["tickets", "--service", LONG], [1]),
        (["tickets", "--client", "etablissements-martin", "--since", "2026-01-31"], [1]),
        (["tickets", "--since", "5m"], []),
        (["corrections", "--service", LONG], [1]),
        (["corrections", "--since", "5m"], []),
        (["mail", "outbox", "--client", "etablissements-martin", "--limit", "1"], [2]),
        (["mail", "outbox", "--since", "5m"], []),
    ],
    ids=str,
)
def test_a_listing_is_narrowed_in_the_same_way_for_scripts(
    shop: Shop, words: list[str], ids: list[int]
) -> None:
    assert [row["id"] for row in shop.json(*words)] == ids


def test_the_sessions_of_one_service_are_shown(shop: Shop) -> None:
    assert {one["service"] for one in shop.json("status", "--service", "till")["sessions"]} == {"till"}


@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["table", "json"])
def test_what_limit_cuts_is_said_beside_the_listing(shop: Shop, as_json: tuple[str, ...]) -> None:
    assert shop.run("errors", "--limit", "1", *as_json).stderr.startswith("tocsin: 1 of 3 shown")
    assert shop.run("errors", "--limit", "3", *as_json).stderr == ""


def test_a_service_that_nobody_knows_is_named_with_its_like(shop: Shop) -> None:
    done = shop.run("errors", "--service", "tils")
    assert done.exit_code == 2
    assert "'tils': there is none; known are till" in done.stderr


def test_a_time_that_is_none_is_refused_with_examples(shop: Shop) -> None:
    assert "2h or 7d" in shop.run("errors", "--since", "yesterday").stderr
