"""What holds for every answer: only for our own names, no frames, nothing foreign, nothing kept by caches."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.reports.api.openapi import PREFIX, PROBLEMS
from tocsin.reports.console.answers import problem
from tocsin.reports.console.site import Site

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # To ourselves only: a form's Origin would otherwise be `null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "X-Robots-Tag": "noindex, nofollow",
}
YEAR = 31_536_000


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated where it is said."""
    return text


ELSEWHERE = _("This address is not the console's. Set console.url to the one that people use.")


def _elsewhere(site: Site, path: str, headers: Headers) -> Response:
    """The answer to a request for another host: a program's is one that the API's document names."""
    if path.startswith(f"{PREFIX}/"):
        return problem(421, PROBLEMS[421], ELSEWHERE)
    words = site.pages(site.language(headers.get("accept-language", ""))).words
    return PlainTextResponse(f"{words.catalogue.gettext(ELSEWHERE)}\n", 421)


class Guard:
    """Around the whole application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", f"max-age={YEAR}")
            await send(message)

        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._site.hosts:
            await _elsewhere(self._site, scope["path"], headers)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)
