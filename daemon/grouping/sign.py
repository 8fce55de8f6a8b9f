"""The signature of an error: event facts → fine and coarse, versioned. No database, clock or source files.

The rule is written down, with its reasons, in docs/grouping.md. A change of what it returns is a new version,
computed beside the one before for a while (`ingest/versions`).
"""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tocsin.daemon.grouping import rule1, rule2
from tocsin.daemon.grouping.rule1 import (
    DEFAULT,
    TITLE_LIMIT,
    Code,
    CodeLocations,
    NamedLocation,
    encode,
    logged_at,
)
from tocsin.daemon.grouping.speakers import KNOWN, Speakers
from tocsin.handler.protocol.event import Event

__all__ = ["VERSION", "CodeLocations", "NamedLocation", "Signature", "cache_key", "part_of", "sign"]

VERSION = 2


class Signature(Struct, frozen=True):
    """`fine` names the error, `coarse` its code location and type; `fine` is the hash of `components`."""

    fine: str
    coarse: str
    components: list[Any]
    title: str
    location: NamedLocation
    """The exception's innermost in-app frame, else the logging call."""
    older: str = ""
    """`fine` under the version before, where that was asked for."""


def sign(
    event: Event,
    locations: CodeLocations,
    *,
    in_app: tuple[str, ...] = (),
    not_in_app: tuple[str, ...] = (),
    version: int = VERSION,
    speakers: Speakers = KNOWN,
    older: bool = False,
) -> Signature:
    """The event's signature. Never raises. `in_app` and `not_in_app` decide where a location is not known.

    `speakers`: the table of library calls that log for the application's code. `older`: under the version
    before, too.
    """
    if version == 1:
        code = Code(locations, in_app, not_in_app)
        key = rule1.key_of(event, code)
    else:
        code = rule2.Code2(locations, in_app, not_in_app)
        key = rule2.key_of(event, code, speakers)
    components = key.components
    if event.fingerprint:
        components = ["fingerprint", [components if part in DEFAULT else part for part in event.fingerprint]]
    before = ""
    if older:
        before = sign(event, locations, in_app=in_app, not_in_app=not_in_app, version=VERSION - 1).fine
    at = key.location or logged_at(event, code)
    fine, coarse = _hash(version, components), _hash(version, ["coarse", *key.coarse])
    return Signature(fine, coarse, components, key.title, at, before)


def part_of(signature: Signature, by: str, value: str) -> Signature:
    """The signature of those of its events that people told apart by `by`, where this has `value`."""
    components = ["split", signature.components, by, value]
    title = f"{signature.title} ({value or 'none'})"[:TITLE_LIMIT]
    return replace(signature, fine=_hash(VERSION, components), components=components, title=title, older="")


def cache_key(
    event: Event,
    locations: CodeLocations | None = None,
    *,
    in_app: tuple[str, ...] = (),
    not_in_app: tuple[str, ...] = (),
    speakers: Speakers = KNOWN,
) -> Hashable | None:
    """Events of equal keys over equal locations have the same fine and coarse, under both versions.

    None where only `sign` can tell. With `locations` an exception's text is left out of the key when it has no
    say in the signature.
    """
    code = None if locations is None else rule2.Code2(locations, in_app, not_in_app)
    return rule2.cache_key(event, code, speakers)


def _hash(version: int, components: list[Any]) -> str:
    return f"{version}:{blake2b(encode(components), digest_size=16).hexdigest()}"
