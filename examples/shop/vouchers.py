"""Vouchers and what they are worth."""

from __future__ import annotations

VOUCHERS = {"TEA-5": {"cents": 500}, "TEA-10": {"cents": 1000}}
NOTHING = {"cents": 0}


def worth(code: str) -> int:
    """A voucher's value in cents."""
    return VOUCHERS.get(code)["cents"]  # type: ignore[index]
