"""`database.url` taken apart: a file's path, and a text without the password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///file` URL."""
    return Path(unquote(url.removeprefix("sqlite:///"))).expanduser().absolute()


def shown(url: str) -> str:
    """The URL for people: without its password."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url
