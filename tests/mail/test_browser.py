"""A real browser opens mails full of hostile texts and asks nobody for anything."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.mailing import MailingDaemon
from support.running import short_place, until

from tocsin.daemon.outgoing import mail
from tocsin.daemon.outgoing.mailcheck import sample
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.store import outbox

pytestmark = pytest.mark.browser

START = 1_790_000_000.0
TEXTS = ("title", "message", "service", "environment", "source", "function", "client_id", "client_name",
         "priority", "applied_by", "description", "file_path", "test_status", "session")  # fmt: skip
PAYLOADS = (
    "<img src={url}>",
    "<link rel=stylesheet href={url}>",
    "<style>@import '{url}'; * {{background:url({url})}}</style>",
    "<script src={url}></script>",
    "<iframe src={url}></iframe>",
    "<object data={url}></object>",
    "<svg><image href={url} /></svg>",
    "<video src={url} autoplay></video>",
    "<audio src={url} autoplay></audio>",
    "<body background={url}>",
    "<meta http-equiv=refresh content='0;url={url}'>",
    "<base href={url}>",
    "<input type=image src={url}>",
    "<embed src={url}>",
    "<table background={url}>",
    '"><img src={url}>',
    "'><img src={url}>",
    "--><img src={url}>",
    "</title><img src={url}>",
    "</style><img src={url}>",
    '<div style="background:url({url})">',
    'x" style="background:url({url})',
    "<link rel=prefetch href={url}>",
    "<img srcset={url}>",
    "<picture><source srcset={url}></picture>",
    "<script>fetch('{url}')</script>",
    "<img src=x onerror=\"fetch('{url}')\">",
    "<svg onload=\"fetch('{url}')\">",
    "{{{{ '<img src={url}>' | safe }}}}",
    '<x style="behavior:url({url})">',
)

EVERY = 1 if "TOCSIN_STORM" in os.environ else 3
"""Each payload stands in every third kind of mail, in another third than the next; in all when told so."""
PAIRS = [
    (kind, payload)
    for number, payload in enumerate(PAYLOADS)
    for kind in list(mail.KINDS)[number % EVERY :: EVERY]
]


@pytest.fixture
def canary():
    """A web server that notes every request."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != "/favicon.ico":
                asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.asked = asked
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def show(browser, tmp_path, messages):
    """Opens the HTML parts in the browser and waits until it asks for nothing more."""
    parts = [message.get_body(("html",)).get_content() for message in messages]
    (tmp_path / "mail.html").write_text("\n".join(parts), "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "mail.html").as_uri())
    page.wait_for_load_state("networkidle")
    page.close()


def test_the_canary_hears_what_a_mail_would_make_a_browser_ask_for(browser, canary, tmp_path):
    message = EmailMessage()
    message.set_content(f"<img src=http://127.0.0.1:{canary.server_port}/x>", subtype="html")
    show(browser, tmp_path, [message])
    assert canary.asked == ["/x"]


def test_no_text_in_any_field_of_any_mail_is_fetched_when_it_is_sent_nor_when_it_is_read(
    browser, canary, serve, courier, store, tmp_path
):
    url = f"http://127.0.0.1:{canary.server_port}/x"
    with store.transaction():
        for kind, payload in PAIRS:
            text = payload.format(url=url)
            facts = {**sample(kind), **dict.fromkeys(TEXTS, text), "ticket_url": None, "untold": [text]}
            if kind == "digest":
                facts["mails"] = [{"subject": text, "title": text + "!", "created_at": 1.0}]
            outbox.queue(kind, audience="admin", recipient="ops@example.org", language="fr",
                         ticket_id=None, facts=facts, now=START)  # fmt: skip
    server = serve("none", auth=False)
    one = courier(server.smtp("none", user=None, password=None), per_hour=10_000)
    while one.step(START):
        pass
    assert len(server.desk.messages) == len(PAIRS)
    assert canary.asked == []
    show(browser, tmp_path, server.desk.messages)
    assert canary.asked == []


def test_no_text_an_application_logs_is_fetched_on_its_way_through_the_daemon_into_a_browser(
    browser, canary, serve, tmp_path
):
    texts = [payload.format(url=f"http://127.0.0.1:{canary.server_port}/x") for payload in PAYLOADS]
    server = serve("none", auth=False)
    hostile = json.dumps(texts[0])
    settings = '[mail]\nadmin = ["ops@example.org"]\nper_hour = 1000\ngather = "0.1s"\n'
    settings += f'[[client]]\nid = "evil"\nname = {hostile}'
    with short_place() as place, contextlib.closing(MailingDaemon(place, server.port, settings)) as daemon:
        daemon.up()
        daemon.fail(texts, service=texts[0], logger=texts[1], raises=texts[2], client="acme")
        daemon.fail(texts[3:5], service=texts[3], logger=texts[4], raises=texts[5], client="evil")
        assert until(lambda: len(server.desk.messages) == 2 * len(texts) + 2)
    assert canary.asked == []
    show(browser, tmp_path, server.desk.messages)
    assert canary.asked == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800])
def test_a_mail_fits_its_window_in_light_and_dark(browser, tmp_path, scheme, width):
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 600})
    page = context.new_page()
    for kind in mail.KINDS:
        facts = {**sample(kind), "title": "VeryLongNameWithoutAnyBreak" * 8}
        letter = mail.write(kind, facts, audience="admin", spoken="fr", templates=Templates())
        (tmp_path / "mail.html").write_text(letter.html, "utf-8")
        page.goto((tmp_path / "mail.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 24)"
        assert dark == (scheme == "dark")
    context.close()
