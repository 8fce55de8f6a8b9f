"""A recursion that steps over its end."""


def halvings(grams: int) -> int:
    """How often a parcel can be halved until nothing is left."""
    if grams == 0:
        return 0
    return 1 + halvings((grams - 1) // 2)


def main() -> None:
    halvings(-5)
