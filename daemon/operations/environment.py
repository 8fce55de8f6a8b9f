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
from tocsin.daemon.reason import NONE, Reason
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
    """One look at one part. `remedy` is what to do, '' when it is well. As strings both are English."""

    part: str
    ok: bool
    text: Reason
    remedy: Reason = NONE

    def said(self, code: str) -> Finding:
        """The same in the language of that code."""
        return Finding(self.part, self.ok, Reason(self.text.said(code)), Reason(self.remedy.said(code)))


def well(part: str, text: Reason) -> Finding:
    """Nothing to do."""
    return Finding(part, True, text)


def problem(part: str, text: Reason, remedy: Reason) -> Finding:
    """Something to do."""
    return Finding(part, False, text, remedy)


def command(text: str) -> Reason:
    """A command to type: the same in every language."""
    return Reason(text)


def secrets(config: Config, path: Path | None) -> Iterator[Finding]:
    """Files with secrets in them must be the owner's alone, and nobody else may write the configuration."""
    if path is not None and _mode(path) & 0o022:
        text = Reason("%(path)s can be changed by others", path=str(path))
        yield problem("configuration", text, command(f"chmod go-w {path}"))
    inside = bool(urlsplit(config.database.url).password) or any(one.url for one in config.channel)
    if path is not None and inside and _mode(path) & 0o004:
        text = Reason("%(path)s holds a password and everybody may read it", path=str(path))
        yield problem("configuration", text, command(f"chmod o= {path}"))
    beside = [path.parent / ".env"] if path is not None else []
    named = [config.mail.password_file, config.mail.oauth2_file, config.daemon.key, config.openid.secret_file]
    named += [file for one in config.channel for file in (one.url_file, one.secret_file)]
    for file in (*beside, *(Path(name).expanduser() for name in named if name)):
        if _mode(file) & _OTHERS:
            text = Reason("%(path)s can be read by others", path=str(file))
            yield problem("secrets", text, command(f"chmod 600 {file}"))


def directories(config: Config) -> Iterator[Finding]:
    """State directory, database file, report directory, and the room on their disk."""
    state = config.state_dir
    if not state.is_dir():
        text = Reason("%(path)s is not there", path=str(state))
        yield problem("state", text, Reason("Start `tocsin daemon` once as its user: it makes it"))
        return
    yield from _private(state)
    file = database_file(config)
    if file is not None and file.is_file():
        if file.parent != state:
            yield from _private(file.parent, file)
        if file.stat().st_uid != file.parent.stat().st_uid:
            owner = user(file.parent)
            text = Reason(
                "%(path)s belongs to %(user)s, its directory to %(owner)s",
                path=str(file), user=user(file), owner=owner,
            )  # fmt: skip
            yield problem("database", text, command(f"chown {owner} {file}*"))
    report = config.report_dir
    if report.exists() and not report.is_dir():
        text = Reason("report.dir %(path)s is no directory", path=str(report))
        yield problem("pages", text, Reason("Name another, or move that file away"))
    elif report.is_dir() and (report.stat().st_uid != state.stat().st_uid or not _writable(report)):
        owner = user(state)
        text = Reason(
            "%(path)s is not %(owner)s's to write: it belongs to %(user)s",
            path=str(report), owner=owner, user=user(report),
        )  # fmt: skip
        yield problem("pages", text, command(f"chown -R {owner} {report}; chmod u+rwx {report}"))
    yield _room(state, file)


def _private(directory: Path, file: Path | None = None) -> Iterator[Finding]:
    mode = _mode(directory) & _OTHERS
    if file is not None:
        mode &= _mode(file) | 0o022
    if mode:
        text = Reason(
            "%(path)s is open to others (mode %(mode)s); it holds what applications logged",
            path=str(directory), mode=f"{_mode(directory):04o}",
        )  # fmt: skip
        yield problem("state", text, command(f"chmod 700 {directory}"))
    elif os.geteuid() and directory.stat().st_uid != os.geteuid():
        owner = user(directory)
        text = Reason("%(path)s belongs to %(owner)s, not to you", path=str(directory), owner=owner)
        yield problem("state", text, Reason("Run it as that user: sudo -u %(owner)s tocsin ...", owner=owner))
    else:
        yield well("state", Reason(str(directory)))


def _room(state: Path, database: Path | None) -> Finding:
    free = shutil.disk_usage(state).free
    size = database.stat().st_size if database is not None and database.is_file() else 0
    files = os.statvfs(state)
    if free < max(FREE_LEAST, size):
        text = Reason("%(size)s MB are free at %(path)s", size=f"{free / 1e6:.0f}", path=str(state))
        remedy = Reason(
            "Free some space, or keep less: retention.samples, retention.counts; then VACUUM the database"
        )
        return problem("disk", text, remedy)
    if files.f_files and files.f_favail < INODES_LEAST:
        text = Reason("only %(number)s more files fit at %(path)s", number=files.f_favail, path=str(state))
        return problem("disk", text, Reason("Remove files; `df -i` shows where there are many"))
    return well("disk", Reason("%(size)s GB free", size=f"{free / 1e9:.1f}"))


def software() -> Iterator[Finding]:
    """libzmq's version; the daemon refuses those with remote holes."""
    if zmq.zmq_version_info() < (4, 3, 3):
        text = Reason("%(version)s has remote holes", version=zmq.zmq_version())
        yield problem("libzmq", text, command("pip install --upgrade pyzmq"))
    else:
        yield well("libzmq", Reason(zmq.zmq_version()))


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
            text = Reason(reason.partition(";")[0])
            yield problem("socket", text, Reason("Run this as the daemon's user, or as root"))
        elif len(os.fsencode(path)) > PATH_MOST:
            text = Reason(
                "%(path)s is longer than %(most)s bytes, too long for a socket",
                path=str(path),
                most=PATH_MOST,
            )
            remedy = Reason("Name a shorter one in daemon.listen, and in the handlers")
            yield problem("socket", text, remedy)
        elif not path.is_socket():
            text = Reason(
                "the running daemon's socket %(path)s is not there: somebody removed it", path=str(path)
            )
            yield problem("socket", text, Reason("Restart the daemon: systemctl restart tocsin"))
        else:
            yield _admitted(path, config.daemon.socket_group) or _answering(address)


def _admitted(path: Path, group: str | None) -> Finding | None:
    """Whether those may connect who should; None when it is right."""
    found = path.stat()
    if found.st_mode & 0o007:
        text = Reason("everybody may connect to %(path)s", path=str(path))
        return problem("socket", text, Reason("chmod o= %(path)s, or restart the daemon", path=str(path)))
    if group is None:
        return None
    try:
        wanted = grp.getgrnam(group).gr_gid
    except KeyError:
        text = Reason(
            "%(setting)s = %(group)r: there is no such group", setting="daemon.socket_group", group=group
        )
        remedy = Reason("groupadd --system %(group)s, then restart the daemon", group=group)
        return problem("socket", text, remedy)
    if found.st_gid != wanted or not found.st_mode & stat.S_IWGRP:
        text = Reason("the group %(group)s may not connect to %(path)s", group=group, path=str(path))
        remedy = Reason("Restart the daemon: it opens the socket to daemon.socket_group")
        return problem("socket", text, remedy)
    return None


def _answering(address: str) -> Finding:
    """Asks something harmless: a session nobody knows is refused, by intake and digest together."""
    question = wire.encode(wire.Heartbeat(uuid.uuid4().hex, 0, 0.0))
    with zmq.Context() as context, context.socket(zmq.DEALER) as asking:
        asking.linger = 0
        asking.connect(address)
        asking.send(question)
        if asking.poll(ANSWER_WITHIN):
            return well("socket", Reason("%(address)s answers", address=address))
    text = Reason("nobody answers at %(address)s", address=address)
    remedy = Reason("Restart the daemon; its log says not_stored or thread_stuck, and why")
    return problem("socket", text, remedy)


def _reachable(address: str) -> Finding:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection(("127.0.0.1" if host in ("*", "0.0.0.0") else host, int(port)), 5):  # noqa: S104
            return well("socket", Reason("%(address)s is open", address=address))
    except OSError as error:
        text = Reason(f"{address}: {error.strerror or error}")
        return problem("socket", text, Reason("Restart the daemon; check daemon.listen and the firewall"))


def pages(config: Config, started_at: float, now: float) -> Finding:
    """Whether the running daemon writes its pages. One that has just started writes them soon."""
    newest = config.report_dir / "admin" / "status.json"
    try:
        age = now - max(newest.stat().st_mtime, started_at)
    except OSError:
        age = now - started_at
    if age > PAGES_OLD + 10 * config.report.every:
        text = Reason("the pages in %(path)s are not written any more", path=str(config.report_dir))
        return problem("pages", text, Reason("`tocsin report` says why; the daemon's log says job_failed"))
    return well("pages", Reason(str(config.report_dir / "admin" / "index.html")))


def leftovers() -> Iterator[Finding]:
    """What dead processes of this user left behind on this machine."""
    try:
        directory = resolve_settings({"service": "doctor"})[0].spool
        left = [session for session in sorted(sessions(directory)) if _is_left(directory, session)]
    except (OSError, ValueError):
        return
    if left:
        text = Reason(
            "%(number)s dead processes left errors in %(path)s", number=len(left), path=str(directory)
        )
        yield problem("spool", text, command("tocsin ship"))


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
