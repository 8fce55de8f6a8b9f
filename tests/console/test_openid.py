"""Signing in by OpenID Connect: with a provider that is true, and with answers that nobody may be let in by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect
from support.console import Browser, Console, Served
from support.openid_provider import CLIENT_ID, SECRET, OpenIdProvider

from tocsin.daemon.accounts import users
from tocsin.daemon.config import ConfigError, parse
from tocsin.daemon.store.models import BrowserSession, User

EMAIL = "ada@example.org"
RETURN = "/sign-in/openid/return"


class Scene:
    """A console and the provider that it believes."""

    def __init__(self, make_console: Callable[..., Console], place: Path) -> None:
        self.place = place
        self._make = make_console
        self.provider = OpenIdProvider(lambda: self.console.now)
        self.provider.start()
        self.console = self.configure()

    def configure(self, **more: Any) -> Console:
        secret = self.place / "openid-secret"
        secret.write_text(f"{SECRET}\n")
        openid = {
            "issuer": self.provider.issuer,
            "client_id": CLIENT_ID,
            "secret_file": str(secret),
            "name": "Acme",
        }
        self.console = self._make(openid={**openid, **more})
        return self.console

    def sent(self, browser: Browser, then: str = "") -> str:
        """Where the provider sends a browser back to that has begun."""
        begun = browser.get(f"/sign-in/openid{f'?then={then}' if then else ''}")
        assert begun.status_code == 303, begun.text
        assert begun.headers["location"].startswith(f"{self.provider.issuer}/authorize?")
        back = httpx2.get(begun.headers["location"]).headers["location"]
        parts = urlsplit(back)
        return f"{parts.path}?{parts.query}"

    def sign_in(self, browser: Browser | None = None, then: str = "") -> Any:
        browser = browser or self.console.browser()
        return browser.get(self.sent(browser, then))


@pytest.fixture
def scene(make_console: Callable[..., Console], filled: None, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(make_console, tmp_path)
    yield made
    made.provider.stop()


@pytest.fixture
def ada(scene: Scene) -> int:
    """A user who has no password."""
    return users.add(scene.console.store, EMAIL, scene.console.now)


def test_a_user_signs_in_with_its_account_at_the_provider(scene: Scene, ada: int) -> None:
    browser = scene.console.browser()
    assert scene.sign_in(browser).headers["location"] == "/"
    assert browser.get("/errors").status_code == 200


def test_somebody_is_sent_on_to_the_page_that_was_asked_for(scene: Scene, ada: int) -> None:
    assert scene.sign_in(then="/errors/7").headers["location"] == "/errors/7"
    assert scene.sign_in(then="//evil.example").headers["location"] == "/"


def test_a_client_s_user_sees_what_a_client_sees(scene: Scene) -> None:
    users.add(scene.console.store, EMAIL, scene.console.now, role="client", client_id="bakery")
    browser = scene.console.browser()
    scene.sign_in(browser)
    assert browser.get("/").headers["location"] == "/my/tickets"


def test_an_account_that_is_no_user_is_not_let_in_and_no_user_is_made(scene: Scene) -> None:
    answer = scene.sign_in()
    assert answer.status_code == 403
    assert "no access here with this account" in answer.text
    assert User.select().count() == BrowserSession.select().count() == 0


def test_an_address_that_the_provider_has_not_verified_is_nobody_s(scene: Scene, ada: int) -> None:
    for verified in (False, None, "true"):
        scene.provider.account["email_verified"] = verified
        assert scene.sign_in().status_code == 403


def test_a_disabled_user_is_not_let_in(scene: Scene, ada: int) -> None:
    scene.console.add("eve@example.org")
    scene.sign_in()
    users.disable(scene.console.store, ada, scene.console.now)
    assert scene.sign_in().status_code == 403


def test_a_user_stays_the_same_account_s_whatever_its_address_becomes(scene: Scene, ada: int) -> None:
    scene.sign_in()
    scene.provider.account["email"] = "ada.married@example.org"
    assert scene.sign_in().status_code == 303
    assert User.select().count() == 1


def test_an_address_that_was_given_to_another_account_lets_that_one_in_only_after_an_admin_has_seen_to_it(
    scene: Scene, ada: int
) -> None:
    scene.console.add("eve@example.org")
    scene.sign_in()
    scene.provider.account["sub"] = "18"
    assert scene.sign_in().status_code == 403
    users.disable(scene.console.store, ada, scene.console.now)
    users.enable(scene.console.store, ada)
    assert scene.sign_in().status_code == 303


def test_a_domain_s_accounts_become_admins_where_the_configuration_says_so(scene: Scene) -> None:
    scene.configure(admins_from=["Example.org"])
    browser = scene.console.browser()
    assert scene.sign_in(browser).status_code == 303
    assert browser.get("/errors").status_code == 200
    made = User.get()
    assert (made.email, made.name, made.role) == (EMAIL, "Ada", "admin")


@pytest.mark.parametrize("email", ["ada@evil.example", "ada@notexample.org", "ada@example.org@evil.example"])
def test_no_other_domain_s_do(scene: Scene, email: str) -> None:
    scene.configure(admins_from=["example.org"])
    scene.provider.account["email"] = email
    assert scene.sign_in().status_code == 403
    assert User.select().count() == 0


def test_an_account_whose_address_only_userinfo_says_is_let_in(scene: Scene, ada: int) -> None:
    scene.provider.only_userinfo = True
    assert scene.sign_in().status_code == 303
    assert "/userinfo" in scene.provider.asked


LIES = [
    {"nonce": "another sign-in's"},
    {"nonce": None},
    {"aud": "another console"},
    {"iss": "https://evil.example"},
    {"exp": 1_000_000_000},
    {"iat": 4_000_000_000},
    {"azp": "another console"},
]


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_an_id_token_that_is_not_for_this_sign_in_lets_nobody_in(
    scene: Scene, ada: int, lie: dict[str, Any]
) -> None:
    scene.provider.more = lie
    assert scene.sign_in().status_code == 502
    assert BrowserSession.select().count() == 0


def test_an_id_token_that_another_key_signed_lets_nobody_in(scene: Scene, ada: int) -> None:
    scene.provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    assert scene.sign_in().status_code == 502


def test_an_answer_to_another_browser_s_sign_in_lets_nobody_in(scene: Scene, ada: int) -> None:
    """Else an attacker could have a victim signed in as himself."""
    attacker, victim = scene.console.browser(), scene.console.browser()
    planted = scene.sent(attacker)
    assert victim.get(planted).status_code == 400
    scene.sent(victim)
    assert victim.get(planted).status_code == 400
    assert BrowserSession.select().count() == 0


def test_an_answer_lets_in_once(scene: Scene, ada: int) -> None:
    browser = scene.console.browser()
    address = scene.sent(browser)
    assert browser.get(address).status_code == 303
    assert browser.get(address).status_code == 400


def test_a_code_that_somebody_else_asked_for_is_refused_for_lack_of_its_proof(scene: Scene, ada: int) -> None:
    attacker, victim = scene.console.browser(), scene.console.browser()
    stolen = parse_qs(urlsplit(scene.sent(victim)).query)["code"][0]
    state = parse_qs(urlsplit(scene.sent(attacker)).query)["state"][0]
    assert attacker.get(f"{RETURN}?code={stolen}&state={state}").status_code == 502


def test_another_provider_s_answer_is_not_believed(scene: Scene, ada: int) -> None:
    browser = scene.console.browser()
    address = scene.sent(browser).replace(f"{scene.provider.port}", "1")
    assert browser.get(address).status_code == 403


def test_somebody_whom_the_provider_refuses_is_told_so(scene: Scene, ada: int) -> None:
    scene.provider.refuses = True
    answer = scene.sign_in()
    assert answer.status_code == 403
    assert "Acme did not let you in" in answer.text


def test_a_provider_that_is_away_is_said_to_be_and_asked_again_after_a_while(scene: Scene, ada: int) -> None:
    scene.provider.stop()
    browser = scene.console.browser(**{"accept-language": "fr"})
    answer = browser.get("/sign-in/openid")
    assert answer.status_code == 502
    assert "Acme est injoignable" in answer.text
    scene.provider.start()
    assert browser.get("/sign-in/openid").status_code == 502
    scene.console.now += 31
    assert scene.sign_in(browser).status_code == 303


@pytest.mark.parametrize(
    "lie",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "ftp://127.0.0.1/"}, {"jwks_uri": None}],
    ids=str,
)
def test_a_description_that_cannot_be_true_is_not_believed(scene: Scene, lie: dict[str, Any]) -> None:
    scene.provider.description = lie
    assert scene.console.browser().get("/sign-in/openid").status_code == 502


def test_who_fails_too_often_waits(scene: Scene) -> None:
    tried = [scene.sign_in().status_code for _ in range(31)]
    assert tried == [403] * 30 + [429]


def test_without_a_provider_there_is_no_such_page_and_no_button(console: Console) -> None:
    browser = console.browser()
    assert browser.get("/sign-in/openid").status_code == 404
    assert browser.get(RETURN).status_code == 404
    assert "/sign-in/openid" not in browser.get("/sign-in").text


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"issuer": "http://login.example.org", "client_id": "x"}, "openid.issuer"),
        ({"issuer": "login.example.org", "client_id": "x"}, "openid.issuer"),
        ({"issuer": "https://login.example.org"}, "openid.client_id"),
        (
            {"issuer": "https://login.example.org", "client_id": "x", "admins_from": ["*"]},
            "openid.admins_from",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse({"openid": given}, {})


def test_a_browser_goes_to_the_provider_and_comes_back_signed_in(
    scene: Scene, ada: int, browser: Chromium, free_port: int
) -> None:
    secret = scene.place / "openid-secret"
    openid = {
        "issuer": scene.provider.issuer,
        "client_id": CLIENT_ID,
        "secret_file": str(secret),
        "name": "Acme",
    }
    scene.console = scene._make(openid=openid, console={"listen": f"127.0.0.1:{free_port}"})
    served = Served(scene.console)
    served.start()
    context = browser.new_context(locale="fr-FR")
    try:
        page = context.new_page()
        page.goto(f"{scene.console.site.address}/errors")
        page.get_by_role("link", name="Se connecter avec Acme").click()
        page.wait_for_url("**/errors")
        expect(page.get_by_text(EMAIL).first).to_be_attached()
    finally:
        context.close()
        served.stop()
