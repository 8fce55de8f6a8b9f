"""A number added to text."""


def line(order: dict[str, object]) -> str:
    """One line of the list of orders."""
    return f"order {order['id']}: {order['state']}"


def main() -> None:
    line({"id": 17, "state": "paid"})
