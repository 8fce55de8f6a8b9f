"""Whose files are whose: a daemon's belong to its user, whoever types a command beside it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


def give_back(path: Path) -> None:
    """What root makes belongs to its directory's owner, else the daemon could not use it. Raises OSError."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def make_directory(path: Path, mode: int = 0o777) -> None:
    """A directory, with those that it lies in; as `give_back`, each that is made. Raises OSError."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    for one in reversed(missing):
        give_back(one)


def user(path: Path) -> str:
    """The name of a file's owner, or its number. Raises OSError."""
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def remedy(path: Path) -> str:
    """How to type a command that needs this file, '' where it is ours, or nobody's that is known."""
    for one in (path, *path.parents):
        try:
            owner = one.stat().st_uid
        except OSError:
            continue
        if owner in (0, os.geteuid()) or os.geteuid() == 0:
            return ""
        return f"it belongs to {user(one)}; type the command as that user: sudo -u {user(one)} tocsin ..."
    return ""
