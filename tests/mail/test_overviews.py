"""Mails that look back: the weekly report with its chart inside, reminders, and what became more frequent."""

from __future__ import annotations

import pytest

from tocsin.daemon.outgoing import mail, overviews, picture
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store import outbox

START = 1_790_000_000.0


def written(kind: str, spoken: str = "en", **changes):
    facts = {**sample(kind), **changes}
    return mail.write(kind, facts, audience="admin", spoken=spoken, templates=Templates())


def test_the_report_says_the_week_s_numbers():
    text = written("weekly").text
    for line in (
        "Errors counted: 1,234", "New errors: 3", "Tickets opened: 4", "Tickets reopened: 1",
        "Tickets closed: 5, 4 of them by themselves", "Tickets open now: 2", "Corrections that held: 90%",
        "* shop: IntegrityError: UNIQUE constraint failed: 900 times",
        "All the metrics: https://status.example.org/admin/metrics.html",
    ):  # fmt: skip
        assert line in text.splitlines(), line


def test_the_report_is_french_throughout_for_who_reads_french():
    letter = written("weekly", "fr")
    assert letter.subject == "[Tocsin] Rapport de la semaine"
    for line in ("Nouvelles erreurs\xa0: 3", "Tickets fermés\xa0: 5, dont 4 automatiquement"):
        assert line in letter.text
    for word in ("Tickets opened", "tickets closed", "times"):
        assert word not in letter.text + letter.html


def test_a_report_without_any_correction_claims_no_rate():
    assert (
        "Corrections that held: nothing to tell yet"
        in written("weekly", corrections_held=0, corrections_came_back=0).text
    )


def test_weeks_in_which_nothing_happened_have_no_chart():
    letter = written("weekly", days=[{"day": "2026-09-01", "opened": 0, "closed": 0}])
    assert (letter.pictures, "cid:" in letter.html) == ({}, False)
    assert "None in these weeks." in letter.text


def test_the_chart_travels_in_the_mail_and_the_mail_loads_nothing(serve, courier, store):
    server = serve("none", auth=False)
    with store.transaction():
        outbox.queue("weekly", audience="admin", recipient="ops@example.org", language="en", ticket_id=None,
                     facts=sample("weekly"), now=START)  # fmt: skip
    assert courier(server.smtp("none", user=None, password=None)).step(START)
    (message,) = server.desk.messages
    (image,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    html = message.get_body(("html",)).get_content()
    assert (image["Content-ID"], image.get_content_disposition()) == (f"<{overviews.CHART}>", "inline")
    days = [(one["opened"], one["closed"]) for one in sample("weekly")["days"]]
    assert image.get_content() == picture.bars(days)
    assert f'src="cid:{overviews.CHART}"' in html
    assert html.count("<img") == 1
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "multipart/related"]


@pytest.mark.browser
def test_a_browser_shows_the_chart(browser):
    page = browser.new_page()
    page.set_content(written("weekly").page)
    size = page.evaluate("(i => [i.naturalWidth, i.naturalHeight, i.complete])(document.images[0])")
    page.close()
    assert size == [picture.WIDTH * 2, picture.HEIGHT * 2, True]


def test_a_reminder_names_what_waits_since_when_and_what_to_do():
    text = written("reminder").text
    assert text.startswith("5 things wait for you")
    assert (
        "* #42 shop IntegrityError: UNIQUE constraint failed: orders.number\n  since 17 September 2026"
        in text
    )
    assert "And 2 more." in text
    assert "* #43 it@acme.example KeyError: *" in text


def test_a_reminder_leaves_out_what_does_not_wait():
    text = written("reminder", held=[], held_total=0, watches=[], watches_total=0, tickets_total=1).text
    assert text.startswith("1 thing waits for you")
    assert "release" not in text


def test_what_became_more_frequent_says_both_rates_and_the_ticket():
    letter = written("more_frequent")
    assert letter.subject.startswith("[Ticket #42] Much more frequent: IntegrityError")
    assert "In shop it comes 37 times an hour now; 0.4 times an hour was usual." in letter.text


@pytest.mark.parametrize("kind", ["weekly", "reminder", "more_frequent"])
def test_texts_from_outside_stay_texts(kind):
    hostile = "<script>alert(1)</script>\r\nBcc: x@evil.example"
    items = [{"title": hostile, "service": hostile, "ticket_id": 1, "error_id": 1, "count": 1, "since": START,
              "ticket_url": "javascript:alert(1)", "url": "javascript:alert(1)"}]  # fmt: skip
    letter = written(kind, title=hostile, service=hostile, tickets=items, top=items)
    assert "<script" not in letter.html
    assert "javascript:" not in letter.html + letter.text
    assert "\n" not in letter.subject


def test_the_chart_is_in_a_preview_too():
    assert 'src="data:image/png;base64,' in written("weekly").page
