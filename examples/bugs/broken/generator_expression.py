"""A generator expression that meets an article without a price."""


def total(lines: list[dict[str, int]]) -> int:
    """Cents of an order."""
    return sum(line["price"] * line["count"] for line in lines)


def main() -> None:
    total([{"price": 100, "count": 2}, {"count": 1}])
