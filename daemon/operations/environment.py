"""Around the daemon: files and who may read them, sockets, libraries, disk. Looks; changes nothing."""

from __future__ import annotations

import fcntl
import grp
import os
import shutil
import socket
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import zmq
from msgspec import Struct

from tocsin.daemon.config import Config
from tocsin.daemon.ownership import user
from tocsin.daemon.store.database import sqlite_path
from tocsin.handler.protocol import wire
from tocsin.handler.settings import resolve_settings
from tocsin.handler.shipping.adoption import Adopted, claim_session
from tocsin.handler.shipping.unanswered import not_admitted
from tocsin.handler.spool.segments import sessions

FREE_LEAST = 500 * 1024**2
"""Bytes that must be free; and as many as the database has, so that a backup fits."""
INODES_LEAST = 2000
PATH_MOST = 107
"""Bytes of a Unix socket's path (sun_path of unix(7), less its end)."""
ANSWER_WITHIN = 5000
"""Milliseconds in which a healthy daemon answers; it may be writing a large batch."""
PAGES_OLD = 120.0
_OTHERS = 0o077


class Finding(Struct, frozen=True):
    """One look at one part. `remedy` is what to do, '' when it is well."""

    part: str
    ok: bool
    text: str
    remedy: str = ""


def well(part: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(part, True, text)


def problem(part: str, text: str, remedy: str) -> Finding:
    """Something to do."""
    return Finding(part, False, text, remedy)


def secrets(config: Config, path: Path | None) -> Iterator[Finding]:
    """Files with secrets in them must be the owner's alone, and nobody else may write the configuration."""
    if path is not None and _mode(path) & 0o022:
        yield problem("configuration", f"{path} can be changed by others", f"chmod go-w {path}")
    inside = bool(urlsplit(config.database.url).password) or any(one.url for one in config.channel)
    if path is not None and inside and _mode(path) & 0o004:
        yield problem(
            "configuration", f"{path} holds a password and everybody may read it", f"chmod o= {path}"
        )
    beside = [path.parent / ".env"] if path is not None else []
    named = [config.mail.password_file, config.mail.oauth2_file, config.daemon.key, config.openid.secret_file]
    named += [file for one in config.channel for file in (one.url_file, one.secret_file)]
    for file in (*beside, *(Path(name).expanduser() for name in named if name)):
        if _mode(file) & _OTHERS:
            yield problem("secrets", f"{file} can be read by others", f"chmod 600 {file}")


def directories(config: Config) -> Iterator[Finding]:
    """State directory, database file, report directory, and the room on their disk."""
    state = config.state_dir
    if not state.is_dir():
        yield problem("state", f"{state} is not there", "Start `tocsin daemon` once as its user: it makes it")
        return
    yield from _private(state)
    file = database_file(config)
    if file is not None and file.is_file():
        if file.parent != state:
            yield from _private(file.parent, file)
        if file.stat().st_uid != file.parent.stat().st_uid:
            owner = user(file.parent)
            yield problem("database", f"{file} belongs to {user(file)}, its directory to {owner}",
                          f"chown {owner} {file}*")  # fmt: skip
    report = config.report_dir
    if report.exists() and not report.is_dir():
        yield problem("pages", f"report.dir {report} is no directory", "Name another, or move that file away")
    elif report.is_dir() and (report.stat().st_uid != state.stat().st_uid or not _writable(report)):
        owner = user(state)
        yield problem("pages", f"{report} is not {owner}'s to write: it belongs to {user(report)}",
                      f"chown -R {owner} {report}; chmod u+rwx {report}")  # fmt: skip
    yield _room(state, file)


def _private(directory: Path, file: Path | None = None) -> Iterator[Finding]:
    mode = _mode(directory) & _OTHERS
    if file is not None:
        mode &= _mode(file) | 0o022
    if mode:
        text = (
            f"{directory} is open to others (mode {_mode(directory):04o}); it holds what applications logged"
        )
        yield problem("state", text, f"chmod 700 {directory}")
    elif os.geteuid() and directory.stat().st_uid != os.geteuid():
        text = f"{directory} belongs to {user(directory)}, not to you"
        yield problem("state", text, f"Run it as that user: sudo -u {user(directory)} tocsin ...")
    else:
        yield well("state", str(directory))


def _room(state: Path, database: Path | None) -> Finding:
    free = shutil.disk_usage(state).free
    size = database.stat().st_size if database is not None and database.is_file() else 0
    files = os.statvfs(state)
    if free < max(FREE_LEAST, size):
        text = f"{free / 1e6:.0f} MB are free at {state}"
        remedy = (
            "Free some space, or keep less: retention.samples, retention.counts; then VACUUM the database"
        )
        return problem("disk", text, remedy)
    if files.f_files and files.f_favail < INODES_LEAST:
        text = f"only {files.f_favail} more files fit at {state}"
        return problem("disk", text, "Remove files; `df -i` shows where there are many")
    return well("disk", f"{free / 1e9:.1f} GB free")


def software() -> Iterator[Finding]:
    """libzmq's version; the daemon refuses those with remote holes."""
    if zmq.zmq_version_info() < (4, 3, 3):
        yield problem("libzmq", f"{zmq.zmq_version()} has remote holes", "pip install --upgrade pyzmq")
    else:
        yield well("libzmq", zmq.zmq_version())


def database_file(config: Config) -> Path | None:
    """The SQLite file, None on Postgres."""
    return sqlite_path(config.database.url) if config.database.url.startswith("sqlite:") else None


def locked_by(config: Config) -> str:
    """The pid of the daemon that holds the database's lock here, '' when none does."""
    file = database_file(config)
    lock = file.with_suffix(".lock") if file is not None else config.state_dir / "daemon.lock"
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return os.pread(descriptor, 100, 0).decode("ascii", "replace").strip() or "?"
    finally:
        os.close(descriptor)
    return ""


def sockets(config: Config) -> Iterator[Finding]:
    """Each address the daemon listens on: there, for the right ones, and answering."""
    for address in config.daemon.listen:
        if not address.startswith("ipc://"):
            yield _reachable(address)
            continue
        path = Path(address.removeprefix("ipc://"))
        if reason := not_admitted(address):
            yield problem("socket", reason.partition(";")[0], "Run this as the daemon's user, or as root")
        elif len(os.fsencode(path)) > PATH_MOST:
            text = f"{path} is longer than {PATH_MOST} bytes, too long for a socket"
            yield problem("socket", text, "Name a shorter one in daemon.listen, and in the handlers")
        elif not path.is_socket():
            text = f"the running daemon's socket {path} is not there: somebody removed it"
            yield problem("socket", text, "Restart the daemon: systemctl restart tocsin")
        else:
            yield _admitted(path, config.daemon.socket_group) or _answering(address)


def _admitted(path: Path, group: str | None) -> Finding | None:
    """Whether those may connect who should; None when it is right."""
    found = path.stat()
    if found.st_mode & 0o007:
        return problem(
            "socket", f"everybody may connect to {path}", f"chmod o= {path}, or restart the daemon"
        )
    if group is None:
        return None
    try:
        wanted = grp.getgrnam(group).gr_gid
    except KeyError:
        text = f"daemon.socket_group = {group!r}: there is no such group"
        return problem("socket", text, f"groupadd --system {group}, then restart the daemon")
    if found.st_gid != wanted or not found.st_mode & stat.S_IWGRP:
        text = f"the group {group} may not connect to {path}"
        return problem("socket", text, "Restart the daemon: it opens the socket to daemon.socket_group")
    return None


def _answering(address: str) -> Finding:
    """Asks something harmless: a session nobody knows is refused, by intake and digest together."""
    question = wire.encode(wire.Heartbeat(uuid.uuid4().hex, 0, 0.0))
    with zmq.Context() as context, context.socket(zmq.DEALER) as asking:
        asking.linger = 0
        asking.connect(address)
        asking.send(question)
        if asking.poll(ANSWER_WITHIN):
            return well("socket", f"{address} answers")
    text = f"nobody answers at {address}"
    return problem("socket", text, "Restart the daemon; its log says not_stored or thread_stuck, and why")


def _reachable(address: str) -> Finding:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection(("127.0.0.1" if host in ("*", "0.0.0.0") else host, int(port)), 5):  # noqa: S104
            return well("socket", f"{address} is open")
    except OSError as error:
        text = f"{address}: {error.strerror or error}"
        return problem("socket", text, "Restart the daemon; check daemon.listen and the firewall")


def pages(config: Config, started_at: float, now: float) -> Finding:
    """Whether the running daemon writes its pages. One that has just started writes them soon."""
    newest = config.report_dir / "admin" / "status.json"
    try:
        age = now - max(newest.stat().st_mtime, started_at)
    except OSError:
        age = now - started_at
    if age > PAGES_OLD + 10 * config.report.every:
        text = f"the pages in {config.report_dir} are not written any more"
        return problem("pages", text, "`tocsin report` says why; the daemon's log says job_failed")
    return well("pages", str(config.report_dir / "admin" / "index.html"))


def leftovers() -> Iterator[Finding]:
    """What dead processes of this user left behind on this machine."""
    try:
        directory = resolve_settings({"service": "doctor"})[0].spool
        left = [session for session in sorted(sessions(directory)) if _is_left(directory, session)]
    except (OSError, ValueError):
        return
    if left:
        yield problem("spool", f"{len(left)} dead processes left errors in {directory}", "tocsin ship")


def _is_left(directory: str, session: str) -> bool:
    taken = claim_session(directory, session)
    if isinstance(taken, Adopted):
        taken.give_back()
    return taken is not None


def _mode(path: Path) -> int:
    """Permission bits; 0 where there is nothing."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _writable(directory: Path) -> bool:
    return bool(_mode(directory) & stat.S_IWUSR)
