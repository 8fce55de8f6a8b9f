"""An OpenID Connect provider that lets in whomever the test says, and that can be made to lie."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from support.web_server import free_port

CLIENT_ID, SECRET = "tocsin", "a secret of forty characters, at the least"
ADA: dict[str, Any] = {"sub": "17", "email": "ada@example.org", "email_verified": True, "name": "Ada"}


class OpenIdProvider:
    """A provider on a port of this machine. Codes are good once, and for who can prove that he asked (PKCE)."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.account = dict(ADA)
        """Whom it lets in next."""
        self.more: dict[str, Any] = {}
        """Claims that the ID token says in the place of the true ones."""
        self.description: dict[str, Any] = {}
        """What its description says in the place of what is true."""
        self.refuses = self.only_userinfo = False
        self.key = self.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
        self.asked: list[str] = []
        """The paths that were asked for."""
        self._now = now
        self._codes: dict[str, dict[str, str]] = {}
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._described),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._userinfo),
            ]
        )
        config = uvicorn.Config(app, port=self.port, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        up = threading.Event()
        begun = self._server.startup

        async def startup(sockets: Any = None) -> None:
            await begun(sockets)
            up.set()

        self._server.startup = startup  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        assert up.wait(20)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None

    async def _described(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        known = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        return JSONResponse({**known, **self.description})

    async def _authorize(self, request: Request) -> Response:
        given = request.query_params
        if given["client_id"] != CLIENT_ID or given["response_type"] != "code":
            return PlainTextResponse("no such client", 400)
        if given["code_challenge_method"] != "S256" or "openid" not in given["scope"].split():
            return PlainTextResponse("PKCE is needed", 400)
        answer = {"state": given["state"], "iss": self.issuer}
        if self.refuses:
            answer["error"] = "access_denied"
        else:
            answer["code"] = f"code-{len(self._codes)}"
            self._codes[answer["code"]] = dict(given)
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode(answer)}", 303)

    async def _token(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        form = dict(await request.form())
        wanted = "Basic " + base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != wanted:
            return JSONResponse({"error": "invalid_client"}, 401)
        known = self._codes.pop(str(form["code"]), None)
        proof = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        if (
            known is None
            or known["redirect_uri"] != form["redirect_uri"]
            or base64.urlsafe_b64encode(proof).rstrip(b"=").decode() != known["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self._now())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": known["nonce"]}
        said = {"sub": self.account["sub"]} if self.only_userinfo else self.account
        token = jwt.encode({"alg": "RS256", "kid": "one"}, {**claims, **said, **self.more}, self.signing_key)
        return JSONResponse({"access_token": "let me in", "token_type": "Bearer", "id_token": token})

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if request.headers.get("authorization") != "Bearer let me in":
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse(self.account)
