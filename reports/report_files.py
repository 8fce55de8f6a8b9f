"""The report directory: each file whole or not at all, one writer at a time. Knows nothing of what pages say."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tocsin.daemon.ownership import give_back
from tocsin.handler.failpoints import reach
from tocsin.reports.permissions import Permissions

_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
STATIC = Path(__file__).parent / "static"
_STRAY = (".shelf", "metrics.prom")
"""Files that lay in the root, for every web server to hand out: the first names each client's folder."""


class ReportFiles:
    """The files below `root`, named by their path below it."""

    def __init__(self, root: Path, group: str | None = None) -> None:
        """`group` may read the pages, whatever the umask is; without it the umask says who may."""
        self.root = root
        self.written = 0
        """How many files were written so far."""
        self._permissions = Permissions(root, group)
        self._admitted = False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other writers waiting, so that an older page never replaces a newer one.

        Raises OSError, and GroupError where the group cannot read what is written.
        """
        self._permissions.resolve()
        self._make(self.root)
        descriptor = os.open(self.root / ".lock", _LOCK, 0o600)
        try:
            give_back(self.root / ".lock")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._admit()
            yield
        finally:
            os.close(descriptor)

    def _admit(self) -> None:
        """Once in a process: directories that an earlier one made may be read by those who should."""
        if self._admitted:
            return
        for folder, _, _ in os.walk(self.root):
            self._permissions.admit(Path(folder))
        for name in _STRAY:
            self.remove(name)
        self._admitted = True

    def _make(self, folder: Path) -> None:
        """A directory, with those that it lies in."""
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            one.mkdir(exist_ok=True)
            if one.is_relative_to(self.root):
                self._permissions.give_directory(one)
            else:
                give_back(one)

    def put(self, name: str, text: str) -> None:
        """Writes a file whole, unless it already says the same. Raises OSError."""
        path = self.root / name
        data = text.encode("utf-8", "replace")
        with suppress(FileNotFoundError):
            found = path.stat()
            same = found.st_size == len(data) and path.read_bytes() == data
            if same and self._permissions.holds(found):
                return
        self._replace(path, data, self._permissions)
        self.written += 1

    def keep(self, name: str, data: bytes) -> None:
        """Writes a file that is no page, whole; nobody but its owner reads it. Raises OSError."""
        self._replace(self.root / name, data, None)

    def _replace(self, path: Path, data: bytes, permissions: Permissions | None) -> None:
        passing = path.with_name(f".{path.name}.new")
        try:
            _write(passing, data, permissions)
        except FileNotFoundError:
            self._make(path.parent)
            _write(passing, data, permissions)
        reach("in_page")
        os.replace(passing, path)

    def put_static(self, folder: str) -> None:
        """Writes what pages in this folder's parent need of style and script. Raises OSError."""
        for path in sorted(STATIC.iterdir()):
            if path.suffix in (".css", ".js", ".svg"):
                self.put(f"{folder}/{path.name}", path.read_text("utf-8"))

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.root / name).exists()

    def names(self, folder: str, pattern: str) -> list[str]:
        """The files of a folder that the pattern fits; none when there is no such folder."""
        return [f"{folder}/{path.name}" for path in (self.root / folder).glob(pattern)]

    def remove(self, name: str) -> None:
        """Removes a file that may be there. Raises OSError."""
        (self.root / name).unlink(missing_ok=True)

    def remove_folder(self, name: str) -> None:
        """Removes a folder (or the file of that name) with all that is in it. Raises OSError."""
        folder = self.root / name
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        folder.rmdir() if folder.is_dir() else folder.unlink(missing_ok=True)


def _write(path: Path, data: bytes, permissions: Permissions | None) -> None:
    """Without the questions that `open` asks of each new file: there are tens of thousands."""
    mode = 0o600 if permissions is None else 0o666
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        if permissions is None:
            give_back(path)
        else:
            permissions.give_file(descriptor, path.parent)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
