"""A call that cannot be written down: its argument is an object of the application."""

from dataclasses import dataclass


@dataclass
class Order:
    """An order."""

    id: int
    country: str | None


def label(order: Order) -> str:
    """What is printed on the parcel."""
    return (order.country or "fr").upper() + str(order.id)


def main() -> None:
    label(Order(17, None))
