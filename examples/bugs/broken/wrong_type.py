"""A number added to text."""


def line(order: dict[str, object]) -> str:
    """One line of the list of orders."""
    return "order " + order["id"] + ": " + order["state"]  # type: ignore[operator]


def main() -> None:
    line({"id": 17, "state": "paid"})
