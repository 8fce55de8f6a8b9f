"""A function that is given dataclasses, one of them with an empty field."""

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a customer is."""

    PERSON = 1
    COMPANY = 2


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes."""

    town: str
    country: str | None = None


@dataclass
class Customer:
    """Who ordered."""

    name: str
    kind: Kind
    address: Address
    tags: tuple[str, ...] = field(default=())


def label(customer: Customer) -> str:
    """The last line of a label."""
    return f"{customer.address.town}, {customer.address.country.lower()}"  # type: ignore[union-attr]


def main() -> None:
    label(Customer("Ana", Kind.PERSON, Address("Lyon"), ("new",)))
