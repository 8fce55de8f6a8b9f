"""Where state and socket are by default: one rule, shared by handler and daemon."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SERVICE_STATE = Path("/var/lib/tocsin")
SERVICE_RUNTIME = Path("/run/tocsin")


def state_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """/var/lib/tocsin for its owner (the service), else $XDG_STATE_HOME/tocsin, ~/.local/state/tocsin.

    The owner decides, not the environment: an application's own $STATE_DIRECTORY says nothing of ours.
    """
    try:
        if SERVICE_STATE.stat().st_uid == os.geteuid():
            return SERVICE_STATE
    except OSError:
        pass
    base = environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):
        return Path(base) / "tocsin"
    try:
        return Path.home() / ".local" / "state" / "tocsin"
    except RuntimeError:
        return homeless_directory()


def homeless_directory() -> Path:
    """Where a user has state who has no home directory, or none that can be written to."""
    # Whoever makes it first for somebody else gains nothing: a directory of another user is refused.
    return Path(f"/var/tmp/tocsin-{os.geteuid()}")  # noqa: S108


def default_endpoints(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Where a daemon may listen by default, now or later: the service's socket, and the user's own."""
    directories = dict.fromkeys((SERVICE_RUNTIME, state_directory(environ)))
    return tuple(f"ipc://{directory / 'tocsin.sock'}" for directory in directories)


def default_endpoint(environ: Mapping[str, str] = os.environ, state: Path | None = None) -> str:
    """`ipc:///run/tocsin/tocsin.sock` where /run/tocsin exists, else `tocsin.sock` in the state directory."""
    directory = SERVICE_RUNTIME if SERVICE_RUNTIME.is_dir() else state or state_directory(environ)
    return f"ipc://{directory / 'tocsin.sock'}"
