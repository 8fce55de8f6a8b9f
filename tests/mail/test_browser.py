"""A real browser opens mails full of hostile texts and asks nobody for anything."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tocsin.daemon import mail
from tocsin.daemon.mailcheck import sample
from tocsin.daemon.templating import Templates

pytestmark = pytest.mark.browser

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


def test_no_text_in_a_mail_makes_a_browser_ask_for_anything(browser, canary, tmp_path):
    url = f"http://127.0.0.1:{canary.server_port}/x"
    page = browser.new_page()
    page.goto(url)
    assert canary.asked == ["/x"]
    parts = []
    for kind in mail.KINDS:
        for payload in PAYLOADS:
            facts = {**sample(kind), **dict.fromkeys(TEXTS, payload.format(url=url)), "ticket_url": None}
            letter = mail.write(kind, facts, audience="admin", spoken="en", templates=Templates())
            parts.append(letter.html)
    (tmp_path / "mail.html").write_text("\n".join(parts), "utf-8")
    page.goto((tmp_path / "mail.html").as_uri())
    page.wait_for_load_state("networkidle")
    page.close()
    assert canary.asked == ["/x"]


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
