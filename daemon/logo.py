"""The picture above the clients' mails: read from its file and recognised by its first bytes."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

LIMIT = 200 * 1024
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"))


class LogoError(ValueError):
    """The file is no picture that mail programs show; the text says why."""


class Logo(Struct, frozen=True):
    """A picture: `kind` is `png`, `jpeg` or `gif`."""

    kind: str
    content: bytes


def read(path: Path) -> Logo:
    """The picture in that file. Raises LogoError."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise LogoError(f"it cannot be read: {error.strerror}") from None
    if len(content) > LIMIT:
        raise LogoError(f"it is larger than {LIMIT // 1024} KB; make it smaller")
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            return Logo(kind, content)
    raise LogoError("it is no PNG, JPEG or GIF picture, the kinds that mail programs show")
