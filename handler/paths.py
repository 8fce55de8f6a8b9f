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
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "tocsin"


def default_endpoint(environ: Mapping[str, str] = os.environ, state: Path | None = None) -> str:
    """`ipc:///run/tocsin/tocsin.sock` where /run/tocsin exists, else `tocsin.sock` in the state directory."""
    directory = SERVICE_RUNTIME if SERVICE_RUNTIME.is_dir() else state or state_directory(environ)
    return f"ipc://{directory / 'tocsin.sock'}"
