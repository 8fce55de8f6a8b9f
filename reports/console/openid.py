"""Signing in by OpenID Connect: a browser sent to the provider, and what it comes back with."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from tocsin.daemon.accounts import browser_sessions, openid_accounts
from tocsin.daemon.accounts.openid_accounts import Challenge, NotKnown, ProviderError
from tocsin.daemon.accounts.random_token import new
from tocsin.daemon.log import log
from tocsin.reports.console import answers, cookies, sign_in
from tocsin.reports.console.request import ConsoleRequest

if TYPE_CHECKING:
    from tocsin.reports.console.openid_provider import Provider

MINUTES = 10
"""How long somebody may take to sign in at the provider."""


def begin(request: ConsoleRequest) -> Response:
    """Sends the browser to the provider. Changes nothing here: what is known of it is the browser's to keep."""
    provider = request.site.provider
    if provider is None:
        return answers.refusal(request, 404)
    challenge = Challenge(new(), new(), new())
    try:
        address = provider.address(challenge)
    except ProviderError as error:
        return _failed(request, error)
    response = RedirectResponse(address, 303)
    kept = ".".join((*challenge, sign_in.then(request)))
    cookies.put(response, cookies.openid_name(request.https), kept, https=request.https, seconds=MINUTES * 60)
    return response


def come_back(request: ConsoleRequest) -> Response:
    """Signs in whom the provider has let in, where that is a user of ours."""
    provider = request.site.provider
    if provider is None:
        return answers.refusal(request, 404)
    challenge, then = _kept(request)
    given = request.query.get("state", "")
    if challenge is None or not hmac.compare_digest(given.encode(), challenge.state.encode()):
        return sign_in.page(request, 400, "openid_again")
    if request.site.attempts.wait(request.client_network, request.now):
        return sign_in.page(request, 429, "wait")
    response = _let_in(request, provider, challenge, then)
    cookies.drop(response, cookies.openid_name(request.https), https=request.https)
    return response


def _let_in(request: ConsoleRequest, provider: Provider, challenge: Challenge, then: str) -> Response:
    site, now = request.site, request.now
    if request.query.get("iss", provider.issuer) != provider.issuer or not request.query.get("code"):
        # It refused, or the answer is another provider's (RFC 9207): nothing that it says is shown.
        return sign_in.page(request, 403, "openid_refused")
    try:
        account = provider.account(request.query["code"], challenge)
        user_id = openid_accounts.user(site.store, account, site.config.openid, request.language, now)
    except ProviderError as error:
        site.attempts.count(request.client_network, now)
        return _failed(request, error)
    except NotKnown as error:
        site.attempts.count(request.client_network, now)
        log.warning("openid_refused", account=account.key, email=account.email, reason=str(error))
        return sign_in.page(request, 403, "openid_unknown")
    return sign_in.let_in(request, browser_sessions.begin_user(site.store, user_id, now), then)


def _failed(request: ConsoleRequest, error: ProviderError) -> Response:
    log.warning("openid_failed", reason=str(error))
    return sign_in.page(request, 502, "openid_failed")


def _kept(request: ConsoleRequest) -> tuple[Challenge | None, str]:
    """What this browser's sign-in is known by, and the page it goes on to."""
    parts = request.cookies.get(cookies.openid_name(request.https), "").split(".")
    if len(parts) != 4 or not all(parts[:3]):
        return None, ""
    return Challenge(*parts[:3]), sign_in.ours(parts[3])
