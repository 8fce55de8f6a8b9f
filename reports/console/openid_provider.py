"""The OpenID Connect provider: where it lets people sign in, and what it then says of who they are.

The authorization code flow with PKCE (RFC 7636); Authlib speaks it and checks the ID token's claims, joserfc its
signature. Knows nothing of users and browsers.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException

from tocsin.daemon.accounts.openid_accounts import Account, Challenge, ProviderError
from tocsin.daemon.settings import OpenId

SCOPE = "openid email profile"
ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
]
"""Signatures with the provider's own key alone: one with a shared secret, or none, proves nothing."""
WITHIN = (5.0, 5.0)
"""Seconds to connect, and between two parts of an answer."""
KNOWN_FOR = 3600.0
"""Seconds for which the provider's own description is believed."""
AGAIN_AFTER = 30.0
"""Seconds after which a provider that could not be reached is asked again."""
LEEWAY = 120
"""Seconds by which the provider's clock may be wrong."""
_CALLS = 2
"""Conversations with the provider at once: a slow one keeps other threads free to answer."""


class Provider:
    """The provider that is configured. For several threads."""

    def __init__(self, settings: OpenId, come_back_to: str, now: Callable[[], float]) -> None:
        assert settings.issuer is not None
        self.issuer = settings.issuer
        self._settings = settings
        self._come_back_to = come_back_to
        self._now = now
        self._lock = threading.Lock()
        self._calls = threading.BoundedSemaphore(_CALLS)
        self._described: dict[str, Any] = {}
        self._described_until = float("-inf")

    def address(self, challenge: Challenge) -> str:
        """Where a browser goes to sign in there. Raises ProviderError."""
        with self._session() as session:
            endpoint = self._description(session)["authorization_endpoint"]
            url, _ = session.create_authorization_url(
                endpoint, state=challenge.state, nonce=challenge.nonce, code_verifier=challenge.verifier
            )
        return str(url)

    def account(self, code: str, challenge: Challenge) -> Account:
        """Whose account the code stands for, which a browser has brought back. Raises ProviderError."""
        if not self._calls.acquire(timeout=1.0):
            raise ProviderError("too many sign-ins at once wait for the provider")
        try:
            with self._session() as session:
                return self._exchanged(session, code, challenge)
        except (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError, TypeError) as error:
            raise ProviderError(f"{self.issuer}: {type(error).__name__}: {error}") from error
        finally:
            self._calls.release()

    def _exchanged(self, session: Any, code: str, challenge: Challenge) -> Account:
        known = self._description(session)
        methods = known.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if session.client_secret and "client_secret_basic" not in methods and "client_secret_post" in methods:
            session.token_endpoint_auth_method = "client_secret_post"  # noqa: S105  (a method's name)
        token = session.fetch_token(
            known["token_endpoint"], code=code, code_verifier=challenge.verifier, timeout=WITHIN,
            allow_redirects=False,
        )  # fmt: skip
        said = self._claims(token, self._json(session, known["jwks_uri"]), challenge)
        if "email" not in said and "userinfo_endpoint" in known:
            more = self._json(session, known["userinfo_endpoint"], auth=session.token_auth)
            if more.get("sub") != said["sub"]:
                raise ValueError("userinfo is of another account")
            said = {**more, **said}
        email = said.get("email", "") if said.get("email_verified") is True else ""
        return Account(f"{self.issuer} {said['sub']}", str(email), str(said.get("name", "")))

    def _claims(self, token: dict[str, Any], keys: Any, challenge: Challenge) -> dict[str, Any]:
        """What the ID token says, signed by the provider, for this console, for this sign-in, now."""
        client_id = self._settings.client_id
        read = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        wanted = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": client_id},
        }
        params = {"nonce": challenge.nonce, "client_id": client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(read.claims, read.header, wanted, params)
        claims.validate(now=int(self._now()), leeway=LEEWAY)
        return dict(claims)

    def _description(self, session: Any) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery 1.0)."""
        if not self._lock.acquire(timeout=1.0):
            raise ProviderError(f"{self.issuer} answers slowly")
        try:
            now = self._now()
            if not 0 <= self._described_until - now <= KNOWN_FOR:
                self._described = {}
                self._described_until = now + AGAIN_AFTER
                self._described = self._discover(session)
                self._described_until = now + KNOWN_FOR
        finally:
            self._lock.release()
        if not self._described:
            raise ProviderError(f"{self.issuer} could not be reached lately")
        return self._described

    def _discover(self, session: Any) -> dict[str, Any]:
        scheme = self.issuer.partition(":")[0]
        try:
            said = self._json(session, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if said["issuer"] != self.issuer:
                raise ProviderError(
                    f"openid.issuer = {self.issuer!r}: the provider names itself {said['issuer']!r}"
                )
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not str(said[name]).startswith(f"{scheme}://"):
                    raise ProviderError(f"{self.issuer}: {name} = {said[name]!r} is not {scheme}")
        except (RequestException, ValueError, KeyError, TypeError) as error:
            raise ProviderError(f"{self.issuer}: {type(error).__name__}: {error}") from error
        return said

    def _session(self) -> Any:
        secret = None
        if self._settings.secret_file is not None:
            try:
                secret = Path(self._settings.secret_file).read_text("utf-8").strip()
            except (OSError, ValueError) as error:
                raise ProviderError(f"openid.secret_file = {self._settings.secret_file!r}: {error}") from None
        session = OAuth2Session(
            self._settings.client_id,
            secret,
            scope=SCOPE,
            redirect_uri=self._come_back_to,
            code_challenge_method="S256",
        )
        # The machine's certificates, and no password of a .netrc.
        session.trust_env = False
        session.verify = ssl.get_default_verify_paths().cafile or True
        return session

    @staticmethod
    def _json(session: Any, address: str, **how: Any) -> dict[str, Any]:
        answer = session.get(
            address, timeout=WITHIN, allow_redirects=False, withhold_token="auth" not in how, **how
        )
        answer.raise_for_status()
        said = answer.json()
        if answer.status_code != 200 or not isinstance(said, dict):
            raise ValueError(f"{address} answered {answer.status_code}, no object")
        return said
