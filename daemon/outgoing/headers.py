"""How the headers of a mail are written, so that every decoder gives back the text that was meant.

The standard library's own folding loses or doubles blanks between encoded words, and folds Message-IDs into
them. Here a text is either plain ASCII, folded at its blanks, or encoded words from end to end (RFC 2047).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from email.headerregistry import Address
from email.policy import EmailPolicy
from typing import Any

LINE = 76
"""Characters of a header's line; RFC 5322 wants at most 78."""
_WORD_BYTES = 45
"""Bytes in one encoded word: 60 characters of base64 within the 75 that RFC 2047 allows."""
_ATOM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~ ")


class MailPolicy(EmailPolicy):
    """The `email` package's policy for mails on the wire, with this folding; MIME's own headers keep theirs."""

    def fold(self, name: str, value: Any) -> str:
        if name.lower().startswith(("content-", "mime-")):
            return super().fold(name, value)
        return f"{name}: {_value(name, value)}{self.linesep}"

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


WIRE = MailPolicy(linesep="\r\n")
INTERNATIONAL = MailPolicy(linesep="\r\n", utf8=True)
"""For addresses with letters beyond ASCII, where the server offers SMTPUTF8."""


def subject(text: str) -> str:
    """The text as a Subject can be set: what looks like an encoded word is not taken for one."""
    return " ".join(_words(text)) if "=?" in text else text


def display_name(text: str) -> str:
    """The name as it can be shown: Python's parsers put a blank between the encoded words of a name, so that
    one word must hold it; a longer one is cut.
    """
    if (text.isascii() and "=?" not in text) or len(text.encode("utf-8", "replace")) <= _WORD_BYTES:
        return text
    kept = text.encode("utf-8", "replace")[: _WORD_BYTES - 3].decode("utf-8", "ignore").rstrip()
    return f"{kept}…"


def _value(name: str, value: Any) -> str:
    addresses = getattr(value, "addresses", None)
    if addresses is not None:
        return ",\r\n ".join(_address(one) for one in addresses)
    text = " ".join(str(value).splitlines())
    if text.isascii() and "=?" not in text:
        return _folded(text, len(name) + 2)
    return "\r\n ".join(_words(text, len(name) + 2))


def _address(one: Address) -> str:
    shown = one.display_name
    if not shown:
        return one.addr_spec
    if not shown.isascii() or "=?" in shown:
        shown = "\r\n ".join(_words(shown))  # one, when `display_name` has made it
    elif not _ATOM.issuperset(shown):
        quoted = shown.replace("\\", "\\\\").replace('"', '\\"')
        shown = f'"{quoted}"'
    return f"{shown}\r\n <{one.addr_spec}>" if len(shown) > LINE // 2 else f"{shown} <{one.addr_spec}>"


def _folded(text: str, used: int) -> str:
    """Broken before blanks only; a word that is longer than a line stays whole."""
    lines = [""]
    room = LINE - used
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = LINE - 1
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _words(text: str, used: int = 0) -> Iterator[str]:
    """The text as encoded words, none of them with a part of a character; blanks are within them.

    `used`: characters that stand before the first one on its line.
    """
    chunk, room = b"", min(_WORD_BYTES, (LINE - used - 12) // 4 * 3)
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > room:
            yield _word(chunk)
            chunk, room = b"", _WORD_BYTES
        chunk += encoded
    yield _word(chunk)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(chunk).decode('ascii')}?="
