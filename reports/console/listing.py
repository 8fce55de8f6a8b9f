"""What a listing is narrowed to and which page of it, read from an address; and the page's place in it."""

from __future__ import annotations

from msgspec import structs

from tocsin.daemon.queries import listings
from tocsin.daemon.queries.listings import Asked, Choices
from tocsin.reports.addresses import ServedAddresses
from tocsin.reports.console.request import ConsoleRequest

LONGEST = 300
_NAMES = {"text": "q"}
"""Names in an address that differ from those of `Asked`."""


class Narrowing(Asked, frozen=True, kw_only=True):
    """What the toolbar of a listing shows as chosen."""

    @property
    def narrowed(self) -> bool:
        """Whether anything is left out."""
        return any(value for name, value in structs.asdict(self).items() if name != "sort")


def asked(request: ConsoleRequest) -> Narrowing:
    """What the address narrows the listing to."""
    given = {name: request.query.get(_NAMES.get(name, name), "") for name in Narrowing.__struct_fields__}
    return Narrowing(**{name: value[:LONGEST].replace("\0", "") for name, value in given.items()})


def page_number(request: ConsoleRequest) -> int:
    """Which page, 1 where the address says nonsense."""
    text = request.query.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def addresses(asked: Asked) -> ServedAddresses:
    """Where the other pages of the listing are."""
    return ServedAddresses({_NAMES.get(name, name): value for name, value in structs.asdict(asked).items()})


def choices(request: ConsoleRequest) -> Choices:
    """What it can be narrowed to."""
    return listings.choices(request.site.store)
