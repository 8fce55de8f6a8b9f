"""Which configuration file is meant, and the notes that daemons leave so that commands find theirs.

Each daemon notes its configuration in the user's state directory and holds a lock on the note while it runs.
Reads no configuration.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from tocsin.daemon.failure import WrongUse
from tocsin.handler.paths import state_directory

SYSTEM = Path("/etc/tocsin/tocsin.toml")
NOTES = "daemons"
"""Directory of the notes in the user's state directory."""
NOTES_KEPT = 20

Source = Literal["--config", "TOCSIN_CONFIG", "here", "system", "daemon", "none"]


class ConfigError(WrongUse):
    """The configuration cannot be used; the text names the key, the value and the remedy."""


class Note(Struct, frozen=True):
    """What a daemon says of itself. `config` is '' for the built-in defaults; `at` is epoch seconds."""

    config: str
    state_dir: str
    pid: int
    at: float


class NotedDaemon(Struct, frozen=True):
    """A daemon of this user, running or the last of its configuration that ran."""

    note: Note
    running: bool


class FoundFile(Struct, frozen=True):
    """The file that is meant (None: the built-in defaults), and how it was found."""

    path: Path | None
    source: Source
    others: tuple[str, ...] = ()
    """Configurations of further daemons that run, where this one was found by its daemon."""


def find(explicit: str | None, environ: Mapping[str, str]) -> FoundFile:
    """The named file, $TOCSIN_CONFIG, ./tocsin.toml, /etc/tocsin/tocsin.toml, the daemon's, or none.

    Raises ConfigError when a named one is not there.
    """
    named: tuple[tuple[str | None, Source], ...] = (
        (explicit, "--config"),
        (environ.get("TOCSIN_CONFIG"), "TOCSIN_CONFIG"),
    )
    for name, source in named:
        if name:
            if not Path(name).is_file():
                raise ConfigError(f"{source}: no file {name}; `tocsin init` writes one")
            return FoundFile(Path(name).absolute(), source)
    here = Path("tocsin.toml")
    if _is_file(here):
        return FoundFile(here.absolute(), "here")
    if _is_file(SYSTEM):
        return FoundFile(SYSTEM, "system")
    return _of_a_daemon(noted(environ))


def _of_a_daemon(known: list[NotedDaemon]) -> FoundFile:
    """The newest running daemon's file, else that of the last one that ran and still has its file."""
    running = [one.note.config for one in known if one.running]
    usable = running or [one.note.config for one in known if _usable(one.note)]
    if not usable:
        return FoundFile(None, "none")
    chosen, *others = usable if running else usable[:1]
    return FoundFile(Path(chosen) if chosen else None, "daemon", tuple(others))


def note(config: str | None, state_dir: str, environ: Mapping[str, str] = os.environ) -> int:
    """Notes that this process is a daemon with that configuration; returns a descriptor to hold while it runs.

    Raises OSError.
    """
    directory = state_directory(environ) / NOTES
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(environ)
    name = hashlib.sha256(f"{config}\0{state_dir}".encode()).hexdigest()[:16]
    descriptor = os.open(directory / f"{name}.json", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    text = msgspec.json.encode(Note(config or "", state_dir, os.getpid(), time.time()))
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)
    return descriptor


def noted(environ: Mapping[str, str] = os.environ) -> list[NotedDaemon]:
    """The daemons of this user, the newest first; what cannot be read is passed over."""
    found = []
    for file in _files(environ):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            known = msgspec.json.decode(file.read_bytes(), type=Note)
            found.append(NotedDaemon(known, _locked(file)))
    return sorted(found, key=lambda one: -one.note.at)


def _files(environ: Mapping[str, str]) -> list[Path]:
    try:
        return sorted((state_directory(environ) / NOTES).glob("*.json"))
    except (OSError, RuntimeError):  # a user without a home
        return []


def _locked(file: Path) -> bool:
    """Whether a daemon holds it. Where locks do nothing, none seems to: the newest note counts then."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _sweep(environ: Mapping[str, str]) -> None:
    """Forgets daemons that ended and whose files are gone, and all but the newest of the others."""
    kept = 0
    newest = sorted(_files(environ), key=lambda file: -_changed(file))
    for file in newest:
        with contextlib.suppress(OSError):
            if _locked(file):
                continue
            kept += 1
            if kept > NOTES_KEPT or not _still_there(file):
                file.unlink()


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _still_there(file: Path) -> bool:
    try:
        return _usable(msgspec.json.decode(file.read_bytes(), type=Note))
    except msgspec.MsgspecError:
        return False


def _usable(known: Note) -> bool:
    return not known.config or _is_file(Path(known.config))


def _is_file(path: Path) -> bool:
    """Whether it is there for this user: the directory one stands in may be another's."""
    try:
        return path.is_file()
    except PermissionError:
        return False
