"""Who may read the report directory besides its owner: as the umask says, or one group whatever the umask is.

Nobody else can list the clients' folders: their names are all that keeps one client from another's pages.
"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.daemon.failure import Failed

UNLISTED = "clients"
"""The folder below the root that its owner alone can list."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class GroupError(Failed):
    """`report.group` cannot be given the pages; the text names it and the remedy."""


class Permissions:
    """What each file and directory below `root` gets when it is made. Knows nothing of what is in it."""

    def __init__(self, root: Path, group: str | None) -> None:
        self._unlisted = root / UNLISTED
        self._name = group
        self._gid: int | None = None

    def resolve(self) -> None:
        """Looks the group up. Raises GroupError where there is none of that name."""
        if self._name is None or self._gid is not None:
            return
        try:
            self._gid = grp.getgrnam(self._name).gr_gid
        except KeyError:
            raise GroupError(
                "report.group = '%(group)s': there is no such group; groupadd --system %(group)s, "
                "or name the web server's",
                group=self._name,
            ) from None

    def holds(self, found: os.stat_result) -> bool:
        """Whether a file is the group's to read already; without a group every file's mode is right."""
        return self._gid is None or (found.st_gid == self._gid and stat.S_IMODE(found.st_mode) == 0o640)

    def give_file(self, descriptor: int, folder: Path) -> None:
        """A new file: what root writes becomes its folder's owner's. Raises OSError, GroupError."""
        self._give(descriptor, folder)
        if self._gid is not None:
            os.fchmod(descriptor, 0o640)

    def give_directory(self, path: Path) -> None:
        """A new directory, likewise. Raises OSError, GroupError."""
        with _opened(path) as descriptor:
            self._give(descriptor, path.parent)
            self._open(descriptor, path)

    def admit(self, path: Path) -> None:
        """A directory that was there: its owner stays; somebody else's is left alone. Raises OSError, GroupError."""
        if os.geteuid() not in (0, path.stat().st_uid):
            return
        with _opened(path) as descriptor:
            self._chown(descriptor)
            self._open(descriptor, path)

    def _open(self, descriptor: int, path: Path) -> None:
        before = stat.S_IMODE(os.fstat(descriptor).st_mode)
        mode = before if self._gid is None else 0o750
        if path == self._unlisted:
            mode &= ~0o044
        if mode != before:
            os.fchmod(descriptor, mode)

    def _give(self, descriptor: int, folder: Path) -> None:
        owner = folder.stat()
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        self._chown(descriptor)

    def _chown(self, descriptor: int) -> None:
        # A hardened service may not change groups, and need not where a directory hands its own down.
        if self._gid is None or os.fstat(descriptor).st_gid == self._gid:
            return
        try:
            os.fchown(descriptor, -1, self._gid)
        except OSError as error:
            raise GroupError(
                "report.group = %(group)r: the daemon cannot give its files to that group (%(reason)s); "
                "its user must be a member, and systemd's PrivateUsers= off (docs/operations.md, pages.conf)",
                group=self._name,
                reason=error.strerror,
            ) from None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, _DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
