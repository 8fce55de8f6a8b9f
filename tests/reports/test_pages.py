"""The pages as HTML."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from typing import Any

from babel.messages import mofile, pofile
from catalogue import PO, texts
from markup import Markup
from report_data import NOW
from support.french import english_on, foreign

from tocsin.daemon.queries.deployments import DeploymentFacts
from tocsin.daemon.queries.details import HourFacts
from tocsin.daemon.queries.moment import Moment
from tocsin.daemon.store.models import Client, Ticket
from tocsin.daemon.time_zone import TimeZone
from tocsin.daemon.visible_text import fence, visible
from tocsin.reports.charts import bars, marks, series
from tocsin.reports.pages import brief
from tocsin.reports.wording import Words


def test_every_page_is_well_nested_html(site: Any) -> None:
    site.write()
    for path in site.pages():
        Markup(path.read_text("utf-8"))


def test_no_page_uses_an_id_twice(site: Any) -> None:
    site.write()
    for path in site.pages():
        elements = Markup(path.read_text("utf-8")).elements
        ids = Counter(attributes["id"] for _, attributes in elements if "id" in attributes)
        assert [name for name, count in ids.items() if count > 1] == [], path


def test_every_link_leads_to_a_file_that_is_there(site: Any) -> None:
    site.write()
    for path in site.pages():
        for _, attributes in Markup(path.read_text("utf-8")).elements:
            for name in ("href", "src"):
                target = attributes.get(name)
                if target and not target.startswith("#"):
                    assert (path.parent / target).resolve().is_file(), (path, target)


def test_every_page_forbids_whatever_it_did_not_bring(site: Any) -> None:
    site.write()
    for path in site.pages():
        policies = [
            attributes["content"]
            for tag, attributes in Markup(path.read_text("utf-8")).elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert len(policies) == 1
        assert "default-src 'none'" in policies[0]
        assert "unsafe" not in policies[0]


def test_what_a_closing_does_not_know_is_shown_also_where_no_chance_is(site: Any) -> None:
    with site.store.transaction():
        closed = Ticket.get(Ticket.status == "closed", Ticket.resolution == "corrected")
        gone = [{"pid": 4711, "host": "web9", "last_heard": NOW}]
        closed.metadata = {
            **closed.metadata,
            "watch": {**closed.metadata["watch"], "chance": None, "gone": gone},
        }
        closed.save()
    site.write()
    page = site.read(f"admin/tickets/{closed.id}.html")
    assert "pid 4711 on web9" in page
    assert "<dt>Verified by tests</dt><dd>yes</dd>" in page


def test_no_page_has_inline_style_or_script(site: Any) -> None:
    site.write()
    for path in site.pages():
        for tag, attributes in Markup(path.read_text("utf-8")).elements:
            assert tag != "style"
            assert tag != "script" or attributes.get("src")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_an_empty_database_tells_a_newcomer_what_to_do(make_site: Callable[..., Any]) -> None:
    empty = make_site()
    empty.write()
    assert "tocsin.handler.TocsinHandler" in empty.read("admin/index.html")
    assert "tocsin correct" in empty.read("admin/corrections.html")
    assert "3 times within 1 h" in empty.read("admin/tickets/index.html")


def test_the_error_page_shows_source_locals_chain_and_diff(site: Any) -> None:
    site.write()
    text = "".join(Markup(site.read("admin/errors/1.html")).text)
    for expected in (
        "# the line that fails",
        "<Request POST /checkout>",
        "no such row: 17",
        "which was caused by",
        "whose chain began with",
        "3 exceptions before it are left out.",
        "ValueError: weight",
        "if item is None:",
        "tests failed",
        "Came back",
    ):
        assert expected in text, expected


def test_the_error_page_names_level_thread_and_task(site: Any) -> None:
    site.write()
    text = " ".join("".join(Markup(site.read("admin/errors/1.html")).text).split())
    assert "ALERT · logged by shop.views at shop/views.py:42 · thread MainThread · task import orders" in text


def test_the_error_page_shows_what_was_logged_before(site: Any) -> None:
    site.write()
    text = " ".join("".join(Markup(site.read("admin/errors/1.html")).text).split())
    assert "Logged before it (2)1.5 s beforeINFOshop.cartcart 4711 is empty" in text
    assert "0.25 s beforeTRACEshop.cartasking again" in text


def test_a_client_s_pages_bear_the_organisation_s_name(make_site: Callable[..., Any]) -> None:
    made = make_site(organisation={"name": "Atelier <Dupont>"})
    made.fill()
    made.write()
    clients = [file.read_text("utf-8") for file in made.pages() if "clients" in file.parts]
    assert clients
    for text in clients:
        assert "<span>Atelier &lt;Dupont&gt;</span>" in text
        assert "· Atelier &lt;Dupont&gt;</title>" in text


def test_the_page_speaks_the_language_of_the_configuration(make_site: Callable[..., Any]) -> None:
    french = make_site(report={"language": "fr"})
    french.fill()
    french.write()
    page = french.read("admin/index.html")
    assert '<html lang="fr">' in page
    assert "Tous les états" in page
    assert "Set SMTP_HOST" not in page


def test_no_french_page_has_an_english_word(make_site: Callable[..., Any]) -> None:
    """A category, local variables, ids of sessions and commands are data."""
    french = make_site(report={"language": "fr"})
    french.fill(foreign)
    Client.update(language="fr").execute()
    french.write()
    data = ("bug", "count", "request", "gone", "noted")
    found = {page.name: english_on(page.read_text("utf-8"), data) for page in french.pages()}
    assert len(found) > 8
    assert {name: pieces for name, pieces in found.items() if pieces} == {}


def test_the_french_catalogue_knows_every_text() -> None:
    with PO.open("rb") as file:
        known = {message.id: message for message in pofile.read_po(file) if message.id}
    assert {one if isinstance(one, str) else tuple(one) for one in known} == texts()
    assert [
        message.id for message in known.values() if message.fuzzy or not all([message.string].__iter__())
    ] == []


def test_the_compiled_catalogue_is_fresh() -> None:
    with PO.open("rb") as file:
        catalogue = pofile.read_po(file)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue)
    assert PO.with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_direction_and_control_characters_are_written_out() -> None:
    assert visible("a\x00b\u202ec\u200bd\x1b[1m") == "a␀b⟨U+202E⟩c⟨U+200B⟩d␛[1m"


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fence("a ```` b") == "`````"


def test_a_brief_text_keeps_to_its_limit() -> None:
    assert brief("one two three", 8) == "one two…"
    assert brief("x" * 50, 8) == "x" * 8 + "…"


def test_a_short_life_is_charted_by_the_hour_and_a_long_one_by_the_day() -> None:
    short = charted(480_000, 480_005)
    assert [count for _, count in short][-6:] == [1, 0, 0, 0, 0, 1]
    long = charted(480_000, 480_001, 482_400)
    assert sum(count for _, count in long) == 1
    assert len(long) == 60


def test_the_steps_of_a_chart_are_those_of_the_readers_zone() -> None:
    """480,000 hours after 1970 it is 0:00 UTC; in Paris it is an hour or two later, in New York the day before."""
    assert [charted(480_000, 480_001, zone=zone)[-1][0] for zone in ("UTC", "Asia/Kolkata")] == [
        "4 Oct 01:00",
        "4 Oct 06:30",
    ]
    days = (480_000, 480_096)
    paris, new_york = (dict(charted(*days, zone=zone)) for zone in ("Europe/Paris", "America/New_York"))
    assert {label for label, count in paris.items() if count} == {"Oct 4, 2024", "Oct 8, 2024"}
    assert {label for label, count in new_york.items() if count} == {"Oct 3, 2024", "Oct 7, 2024"}


def test_a_deployment_stands_on_the_step_of_the_readers_zone() -> None:
    words, zone = Words("en"), TimeZone("Asia/Kolkata")
    out = DeploymentFacts("shop", "", "2.0", Moment(480_000 * 3600 + 7 * 60), "ada")
    found = marks(charted(480_000, 480_001, zone="Asia/Kolkata"), [out], zone, words.hour, words.day)
    assert found == {"4 Oct 05:30": "shop 2.0"}


def charted(*hours: int, zone: str = "UTC") -> list[tuple[str, float]]:
    """A chart of one occurrence in each of these hours since 1970."""
    words = Words("en")
    facts = [HourFacts(Moment(hour * 3600), 1) for hour in hours]
    return series(facts, hours[-1] * 3600, TimeZone(zone), words.hour, words.day)


def test_an_hour_with_one_occurrence_beside_a_thousand_can_be_seen() -> None:
    assert "v-2" in bars([1, 1000], 24)
