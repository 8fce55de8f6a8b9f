"""Why nobody answers at an endpoint, as far as the file system tells. Sends nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence


def no_answer(endpoints: Sequence[str]) -> str:
    """What to say of endpoints where nobody answers; a socket that this user may not open is told as that."""
    return next(filter(None, map(not_admitted, endpoints)), f"no daemon answers at {', '.join(endpoints)}")


def not_admitted(endpoint: str) -> str:
    """That this user may not open the socket, and what to do; '' for one that it may, or that is not there."""
    if not endpoint.startswith("ipc://") or not _forbidden(endpoint.removeprefix("ipc://")):
        return ""
    return (
        f"{endpoint}: this user (uid {os.geteuid()}) may not open the socket; add it to the group of "
        "daemon.socket_group and start the application again"
    )


def _forbidden(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
