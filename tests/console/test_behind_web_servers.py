"""The console behind nginx and Caddy, as docs/web-servers.md tells: https, who asks, cookies, streams."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from support.console import PASSWORD, Console, Served
from support.web_server import INSTALLED, WebServer, free_port

from tocsin.daemon.store.models import ErrorLog
from tocsin.daemon.tickets.manual import Manual

EMAIL = "ada@example.org"
SESSION = "__Host-tocsin"


class Behind:
    """A console, a web server before it, and a browser's way in."""

    def __init__(self, server: WebServer, served: Served, port: int) -> None:
        self.server = server
        self.console = served.console
        self.port = port
        """The console's own, which no stranger should reach."""
        self.http = httpx2.Client(base_url=server.url, verify=server.trust, timeout=30)

    def token(self, **headers: str) -> str:
        found = re.search(r'name="csrf" value="([^"]*)"', self.http.get("/sign-in", headers=headers).text)
        assert found
        return found[1]

    def sign_in(self, password: str = PASSWORD, **headers: str) -> Any:
        form = {"csrf": self.token(), "email": EMAIL, "password": password}
        return self.http.post("/sign-in", data=form, headers={"origin": self.server.url, **headers})


@pytest.fixture(params=INSTALLED)
def behind(
    request: pytest.FixtureRequest, make_console: Callable[..., Console], filled: None
) -> Iterator[Behind]:
    server = WebServer(request.param, "console")
    port = free_port()
    console = make_console(
        console={"listen": f"127.0.0.1:{port}", "url": server.url, "proxies": ["127.0.0.1"]}
    )
    console.add(EMAIL)
    served = Served(console)
    served.start()
    server.change("127.0.0.1:7580", f"127.0.0.1:{port}")
    server.start()
    yield Behind(server, served, port)
    served.stop()
    server.stop()


def test_who_signs_in_gets_a_cookie_for_https_and_stays_on_this_site(behind: Behind) -> None:
    answer = behind.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(SESSION))
    assert "Secure" in cookie
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert behind.http.get("/errors").status_code == 200


def test_a_stranger_who_claims_another_address_each_time_waits_all_the_same(behind: Behind) -> None:
    claims = [
        {"x-forwarded-for": f"192.0.2.{number}", "forwarded": f"for=192.0.2.{number}"} for number in range(6)
    ]
    assert [behind.sign_in("wrong", **claim).status_code for claim in claims] == [403] * 5 + [429]


def test_a_stranger_who_claims_plain_http_gets_a_secure_cookie(behind: Behind) -> None:
    cookies = behind.sign_in(**{"x-forwarded-proto": "http"}).headers.get_list("set-cookie")
    assert any(one.startswith(SESSION) and "Secure" in one for one in cookies)


def test_the_console_believes_no_forwarded_header_of_a_stranger(behind: Behind) -> None:
    transport = httpx2.HTTPTransport(local_address="127.0.0.2")
    claims = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{behind.port}", transport=transport) as stranger:
        answer = stranger.get("/sign-in", headers=claims)
    assert "Secure" not in answer.headers["set-cookie"]
    assert "strict-transport-security" not in answer.headers


def test_another_site_s_name_is_not_served(behind: Behind) -> None:
    answer = behind.http.get("/sign-in", headers={"host": "evil.example"})
    assert 'name="csrf"' not in answer.text


def test_a_body_over_a_megabyte_is_refused_in_words(behind: Behind) -> None:
    form = {"csrf": behind.token(), "email": "x" * 1_100_000}
    answer = behind.http.post("/sign-in", data=form)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")


def test_what_changes_is_told_while_the_stream_goes_on(behind: Behind) -> None:
    behind.sign_in()
    manual = Manual(behind.console.store, behind.console.config)
    error = ErrorLog.select().where(~ErrorLog.resolved).get()
    with behind.http.stream("GET", "/live") as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data:"))
        first = next(lines)
        change = threading.Thread(target=manual.resolve, args=(error.id, "ada", behind.console.now))
        change.start()
        assert next(lines) != first
        change.join()


def test_a_browser_signs_in_and_sees_a_change_live(behind: Behind, browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True, locale="en-GB")
    try:
        page = context.new_page()
        page.goto(f"{behind.server.url}/errors")
        page.fill("input[name=email]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url("**/errors")
        stored = {one["name"]: one for one in context.cookies()}[SESSION]
        assert (stored["secure"], stored["httpOnly"], stored["sameSite"]) == (True, True, "Lax")
        error = ErrorLog.select().where(~ErrorLog.resolved).get()
        page.goto(f"{behind.server.url}/errors/{error.id}")
        Manual(behind.console.store, behind.console.config).resolve(error.id, "bob", behind.console.now)
        expect(page.get_by_text("bob").first).to_be_visible(timeout=20_000)
    finally:
        context.close()


@pytest.mark.parametrize("behind", [name for name in INSTALLED if name == "nginx"], indirect=True)
def test_plain_http_is_sent_on_to_https(behind: Behind) -> None:
    answer = httpx2.get(f"http://localhost:{behind.server.plain_port}/errors")
    assert (answer.status_code, answer.headers["location"]) == (301, "https://localhost/errors")
