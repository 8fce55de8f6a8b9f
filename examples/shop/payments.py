"""Card payments."""

from __future__ import annotations

import structlog

log = structlog.get_logger(__name__)


def checksum_ok(card: str) -> bool:
    """The Luhn check of a card number."""
    digits = [int(digit) for digit in reversed(card) if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return bool(digits) and (sum(digits[0::2]) + sum(doubled)) % 10 == 0


def charge(order_id: int, card: str, amount: int) -> bool:
    """Charges the card with `amount` cents; False when it is declined."""
    if not checksum_ok(card):
        log.error("payment_declined", order=order_id, amount=amount, reason="checksum")
        return False
    log.info("payment_accepted", order=order_id, amount=amount)
    return True
