"""Types of the fixtures with which runs are counted."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from tocsin.handler.running.counts import RunCounts

Imported = Callable[..., ModuleType]
"""Writes a module of some text, and imports it."""
Watching = Callable[..., RunCounts]
"""Counts the functions of these names, of the module `shop_for_runs`."""
