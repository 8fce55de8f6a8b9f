"""A request as handlers get it: read, bounded, its sender known, its permission decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.requests import Request

from tocsin.daemon.accounts.attempts import network
from tocsin.daemon.failure import Failed
from tocsin.daemon.reason import failed
from tocsin.reports.console.authorisation import Who
from tocsin.reports.console.site import Site

FIELD_LIMIT = 200_000
"""Characters of one field of a form."""


class ConsoleRequest(Struct, frozen=True):
    """What is asked: by whom, when (epoch seconds), in which language, with which form or body."""

    site: Site
    who: Who
    now: float
    raw: Request
    form: Mapping[str, list[str]]
    body: bytes
    language: str
    csrf: str
    """The token that a form of this browser must bring back."""

    @property
    def path(self) -> Mapping[str, Any]:
        """What the path named, by the names in the route's pattern."""
        return self.raw.path_params

    @property
    def query(self) -> Mapping[str, str]:
        return self.raw.query_params

    @property
    def headers(self) -> Mapping[str, str]:
        return self.raw.headers

    @property
    def cookies(self) -> Mapping[str, str]:
        return self.raw.cookies

    @property
    def https(self) -> bool:
        """Whether the browser speaks https, with us or with a proxy that is believed."""
        return self.raw.url.scheme == "https"

    @property
    def client_address(self) -> str:
        """Where it comes from, as far as the proxies that are believed tell."""
        return self.raw.client.host if self.raw.client else ""

    @property
    def client_network(self) -> str:
        """Whom attempts to sign in are counted for."""
        return network(self.client_address)

    @property
    def came_from(self) -> str:
        """The page of ours that the form stands on, '' where the browser does not say."""
        parts = urlsplit(self.headers.get("referer", ""))
        same = parts.netloc.lower() == self.headers.get("host", "").lower()
        known = same and parts.path.startswith("/") and not parts.path.startswith(("//", "/\\"))
        return parts.path + (f"?{parts.query}" if parts.query else "") if known else ""

    def say(self, text: str, **values: object) -> str:
        """A sentence in the reader's language."""
        said = self.site.pages(self.language).words.catalogue.gettext(text)
        return said % values if values else said

    def why(self, error: Failed) -> str:
        """Why something failed, in the reader's language."""
        return failed(error).said(self.language)

    def field(self, name: str, default: str = "") -> str:
        """A field of the form, its first value; `default` where it is not given.

        Browsers send lines ended by CR LF; NUL no database takes.
        """
        text = (self.form.get(name) or [default])[0][:FIELD_LIMIT]
        return text.replace("\r\n", "\n").replace("\0", "")
