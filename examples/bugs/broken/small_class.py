"""A method of a small class that forgets its empty state."""


class Cart:
    """What a customer wants to buy."""

    def __init__(self) -> None:
        self.items: list[int] = []

    def dearest(self, discount: int) -> int:
        """Cents of the dearest item, after the discount."""
        return max(self.items) - discount


def main() -> None:
    Cart().dearest(discount=50)
