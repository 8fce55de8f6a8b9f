"""What a handler was told: arguments and `TOCSIN_...` variables become one frozen `Settings`; no sockets, no
files.

Nonsense given in code raises ValueError; a nonsensical environment variable must not break somebody's
program, so its default is used and one line goes to standard error.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from tocsin.handler import paths

T = TypeVar("T")

MOST_BREADCRUMBS = 100
"""Breadcrumbs of one event, at most."""
IPC_PATH_LIMIT = 107
"""Bytes of a unix socket's path, at most (sun_path holds one more for the closing NUL)."""

_LAUNCHERS = frozenset(
    (
        *("gunicorn", "uvicorn", "hypercorn", "daphne", "waitress", "uwsgi", "celery"),
        *("flask", "fastapi", "manage", "ipykernel_launcher"),
    )
)
"""Programs that run an application: their names say nothing of it."""
_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*([KMG]?B?)", re.IGNORECASE)
_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.%\w]+\]|[^\s:/\[\]]+):(\d{1,5})")
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


class Settings(Struct, frozen=True, kw_only=True):
    """Valid once it exists. Handlers with equal settings share one session, spool and thread."""

    endpoints: tuple[str, ...]
    service: str
    spool: str
    spool_given: bool = True
    """False: another directory will do where this one cannot be used."""
    release: str | None = None
    environment: str | None = None
    client: str | None = None
    spool_limit: int = 256 * 1024**2
    """Bytes of the spool directory."""
    durability: str = "kill"
    locals: str = "in_app"
    in_app: tuple[str, ...] = ()
    not_in_app: tuple[str, ...] = ()
    scrub: tuple[str, ...] = ()
    breadcrumbs: int = 0
    """Records below the handler's level that an error takes along."""
    heartbeat: float = 15.0
    """Seconds between two heartbeats, as announced to the daemon."""
    flush_timeout: float = 2.0
    """Seconds that the end of the program may wait for acknowledgements."""
    server_key: str | None = None
    key: str | None = None


def resolve_settings(
    given: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> tuple[Settings, int, bool]:
    """(Settings, level, uncaught) of the handler's arguments; None stands for not given.

    Raises ValueError naming the argument, its value and what would be right.
    """
    known = {name: _one(name, given.get(name), environ, parse) for name, parse in _PARSERS.items()}
    level, uncaught = known.pop("level"), known.pop("uncaught")
    spool = known.pop("spool")
    endpoints = known.pop("endpoint") or _default_endpoints(environ)
    service = known.pop("service") or default_service()
    rest = {name: value for name, value in known.items() if value is not None}
    settings = Settings(
        endpoints=endpoints,
        service=service,
        spool=spool or str(paths.state_directory(environ) / "spool"),
        spool_given=bool(spool),
        **rest,
    )
    return settings, logging.ERROR if level is None else level, bool(uncaught)


def complain(text: str) -> None:
    """One line on standard error, wherever that is: never an exception."""
    try:
        print(f"tocsin: {text}", file=sys.stderr)
    except Exception:
        return


def default_service() -> str:
    """The main module's package or name, else the script's stem, else the virtual environment's
    directory name. The working directory's name where the program runs applications (gunicorn, celery, ...).
    """
    name = _program()
    if name in _LAUNCHERS:
        with contextlib.suppress(OSError):
            name = Path.cwd().name
    return (name or Path(sys.prefix).name or "python")[:200]


def _program() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name.removesuffix(".__main__").split(".")[0])
    script = getattr(main, "__file__", None) or (sys.argv[0] if sys.argv else "")
    if not script or script.startswith("-"):
        return ""
    # A process that multiprocessing has spawned for `python -m` knows its program's path only.
    return Path(script).parent.name if Path(script).stem == "__main__" else Path(script).stem


def _one(name: str, value: Any, environ: Mapping[str, str], parse: Callable[[Any], T]) -> T | None:
    if value is not None:
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name} = {_shown(name, value)}: {error}") from None
    variable = f"TOCSIN_{name.upper()}"
    text = environ.get(variable, "").strip()
    if not text:
        return None
    try:
        return parse(text)
    except (ValueError, TypeError) as error:
        complain(f"{variable} = {_shown(name, text)}: {error}; the default is used")
        return None


def _shown(name: str, value: Any) -> str:
    return "(a key)" if name in ("key", "server_key") else repr(value)[:200]


def _default_endpoints(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Those that a daemon can listen at: nobody has given them, so none of them is worth an exception."""
    usable = []
    for endpoint in paths.default_endpoints(environ):
        try:
            usable.append(_endpoint(endpoint))
        except ValueError as error:
            complain(f"{endpoint!r} cannot be the daemon's address: {error}")
    return tuple(usable)


def _endpoint(text: str) -> str:
    if text.startswith("ipc://"):
        path = text.removeprefix("ipc://")
        if not path or "\0" in path:
            raise ValueError("write ipc:///path/of/socket")
        if len(os.fsencode(path)) > IPC_PATH_LIMIT:
            raise ValueError(f"a socket's path has at most {IPC_PATH_LIMIT} bytes; use a shorter directory")
        return text
    match = _TCP.fullmatch(text)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise ValueError("write ipc:///path/of/socket or tcp://host:port")
    return text


def _words(value: Any) -> tuple[str, ...]:
    parts: Sequence[Any] = value.split(",") if isinstance(value, str) else tuple(value)
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("give a list of strings")
    return tuple(part.strip() for part in parts if part.strip())


def _endpoints(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_endpoint(text) for text in _words(value)))


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or not value.isprintable():
        raise ValueError("give a printable string")
    return value[:200]


def _directory(value: Any) -> str:
    text = os.fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError("give a directory's path")
    return _absolute(text)


def _size(value: Any) -> int:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        unit = match[2].upper()
        size = int(float(match[1]) * _UNITS[unit if unit.endswith("B") or not unit else unit + "B"])
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise ValueError('write a size such as "256MB" or a number of bytes')
    if size < 64 * 1024:
        raise ValueError('at least "64KB" is needed')
    return size


def _seconds(least: float, most: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError("give seconds as a number")
        try:
            seconds = float(value.strip().removesuffix("s") if isinstance(value, str) else value)
        except ValueError:
            raise ValueError("give seconds as a number") from None
        if not least <= seconds <= most:
            raise ValueError(f"give seconds from {least:g} to {most:g}")
        return seconds

    return parse


def _count(most: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not str(value).strip().isdecimal() or int(value) > most:
            raise ValueError(f"give a number from 0 to {most}")
        return int(value)

    return parse


def _choice(*words: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"choose {' or '.join(map(repr, words))}")
        return str(value)

    return parse


def _level(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value).strip().upper()
    number = int(text) if text.isdigit() else logging.getLevelName(text)
    if not isinstance(number, int):
        raise ValueError('give a level such as logging.ERROR or "ERROR"')
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ValueError("give True or False")
    return text in ("1", "true", "yes", "on")


def _key(value: Any) -> str:
    """A CURVE key: 40 characters of Z85, or the path of a file that holds it."""
    text = os.fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError("give a key's file or its 40 characters")
    return text if _Z85.fullmatch(text) else _absolute(text)


def _absolute(path: str) -> str:
    """As it is where the working directory has been deleted."""
    expanded = os.path.expanduser(path)
    try:
        return os.path.abspath(expanded)
    except OSError:
        return expanded


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "endpoint": _endpoints,
    "service": _text,
    "release": _text,
    "environment": _text,
    "client": _text,
    "level": _level,
    "spool": _directory,
    "spool_limit": _size,
    "durability": _choice("kill", "fsync"),
    "locals": _choice("in_app", "none"),
    "in_app": _words,
    "not_in_app": _words,
    "scrub": _words,
    "breadcrumbs": _count(MOST_BREADCRUMBS),
    "uncaught": _flag,
    "heartbeat": _seconds(0.05, 3600),
    "flush_timeout": _seconds(0, 60),
    "server_key": _key,
    "key": _key,
}
