"""What holds for every answer, and what no other site, no stranger and no proxy that was not named can do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.console import PASSWORD, Console
from uvicorn.config import Config

from tocsin.daemon.config import ConfigError, parse
from tocsin.reports.console.body import BODY_LIMIT
from tocsin.reports.console.server import settings

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_no_answer_may_be_framed_kept_or_sent_elsewhere(console: Console) -> None:
    for path in ("/sign-in", "/nothing-there", "/one-time/x"):
        headers = console.browser().get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:7580.evil.example", ""])
def test_another_host_s_name_is_refused(console: Console, host: str) -> None:
    assert console.browser().get("/sign-in", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:7580", "localhost:7580", "TOCSIN.example.org"])
def test_the_console_s_own_names_are_served(make_console: Callable[..., Console], host: str) -> None:
    console = make_console(console={"url": "https://tocsin.example.org"})
    assert console.browser().get("/sign-in", headers={"host": host}).status_code == 200


def test_a_form_without_this_browser_s_token_changes_nothing(console: Console) -> None:
    console.add()
    browser = console.browser()
    fields = {"email": "ada@example.org", "password": PASSWORD}
    assert browser.post("/sign-in", data=fields).status_code == 403
    foreign = console.browser().token("/sign-in")
    browser.get("/sign-in")
    assert browser.post("/sign-in", data={**fields, "csrf": foreign}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
                {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_another_site_s_form_changes_nothing_though_it_knew_the_token(
    console: Console, headers: dict[str, str]
) -> None:
    console.add()
    browser = console.browser()
    fields = {"email": "ada@example.org", "password": PASSWORD, "csrf": browser.token("/sign-in")}
    assert browser.post("/sign-in", data=fields, headers=headers).status_code == 403


def test_a_body_over_a_megabyte_is_refused_announced_or_not(console: Console) -> None:
    browser = console.browser()
    large = b"csrf=" + b"x" * BODY_LIMIT
    assert browser.post("/sign-in", content=large, headers=FORM).status_code == 413
    pieces = (large[at : at + 65536] for at in range(0, len(large), 65536))
    assert browser.post("/sign-in", content=pieces, headers=FORM).status_code == 413


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/json"])
def test_uploads_and_other_kinds_of_body_are_refused(console: Console, kind: str) -> None:
    answer = console.browser().post("/sign-in", content=b"csrf=x", headers={"content-type": kind})
    assert answer.status_code == 415


def test_a_method_that_a_path_does_not_have_is_refused(console: Console) -> None:
    assert console.browser().delete("/sign-in").status_code == 405


def test_what_is_wrong_is_told_as_a_page_and_below_the_api_as_a_problem(console: Console) -> None:
    browser = console.browser()
    assert browser.get("/nothing-there").headers["content-type"].startswith("text/html")
    answer = browser.get("/api/v1/nothing-there")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def served(**console: object) -> Config:
    config = settings(parse({"console": console}, {}), None)
    assert isinstance(config, Config)
    return config


def test_forwarded_headers_are_believed_of_the_proxies_named_only() -> None:
    assert not served().proxy_headers
    assert served(proxies=["10.0.0.1"]).forwarded_allow_ips == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"listen": "0.0.0.0:7580"}, "console.url"),
        ({"listen": "7580"}, "console.listen"),
        ({"listen": "127.0.0.1:99999"}, "console.listen"),
        ({"url": "https://a.example/path"}, "console.url"),
        ({"url": "javascript:alert(1)"}, "console.url"),
        ({"proxies": ["nginx"]}, "console.proxies"),
    ],
)
def test_a_setting_that_cannot_be_is_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse({"console": given}, {})


def test_a_console_for_other_machines_has_an_address_for_them() -> None:
    assert (
        parse({"console": {"listen": "0.0.0.0:7580", "url": "https://t.example"}}, {}).console.proxies == []
    )
