"""A key that is written differently than it is read."""

RATES = {"standard": 490, "express": 990}


def postage(method: str, grams: int) -> int:
    """Cents for a parcel."""
    rate = RATES[method]
    return rate + grams // 1000 * 100


def main() -> None:
    postage("Express", 2500)
