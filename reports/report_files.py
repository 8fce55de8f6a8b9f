"""The report directory: each file whole or not at all, one writer at a time. Knows nothing of what pages say."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tocsin.daemon.ownership import make_directory
from tocsin.handler.failpoints import reach

_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
STATIC = Path(__file__).parent / "static"


class ReportFiles:
    """The files below `root`, named by their path below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        """How many files were written so far."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other writers waiting, so that an older page never replaces a newer one. Raises OSError."""
        make_directory(self.root)
        descriptor = os.open(self.root / ".lock", _LOCK, 0o600)
        try:
            _give_back(descriptor, self.root)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def put(self, name: str, text: str) -> None:
        """Writes a file whole, unless it already says the same. Raises OSError."""
        path = self.root / name
        data = text.encode("utf-8", "replace")
        with suppress(FileNotFoundError):
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                return
        self.keep(name, data)
        self.written += 1

    def keep(self, name: str, data: bytes) -> None:
        """Writes a file that is no page, whole. Raises OSError."""
        path = self.root / name
        passing = path.with_name(f".{path.name}.new")
        try:
            _write(passing, data)
        except FileNotFoundError:
            make_directory(path.parent)
            _write(passing, data)
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


def _give_back(descriptor: int, folder: Path) -> None:
    """What root writes belongs to the folder's owner, else the daemon could never replace it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _write(path: Path, data: bytes) -> None:
    """Without the questions that `open` asks of each new file: there are tens of thousands."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        _give_back(descriptor, path.parent)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
