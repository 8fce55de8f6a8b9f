"""Where `make mail-parser` puts npm's mailparser."""

from __future__ import annotations

from pathlib import Path

MAILPARSER = Path(__file__).parents[2] / "build" / "mailparser"


def is_there() -> bool:
    """Whether it is installed."""
    return (MAILPARSER / "node_modules" / "mailparser").is_dir()
