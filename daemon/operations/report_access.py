"""Whether a web server could read the pages: the rights of each directory on the way to them. Changes nothing."""

from __future__ import annotations

import grp
import stat
from collections.abc import Iterator
from pathlib import Path

from tocsin.daemon.config import Config
from tocsin.daemon.operations.environment import Finding, command, problem, well
from tocsin.daemon.reason import Reason

_PART = "pages"


def report_access(config: Config) -> Iterator[Finding]:
    """Nothing where no web server is meant to: without `report.url` and `report.group`."""
    group = config.report.group
    if group is not None and not _exists(group):
        text = Reason("%(setting)s = %(group)r: there is no such group", setting="report.group", group=group)
        yield problem(_PART, text, command(f"groupadd --system {group}"))
        return
    page = config.report_dir / "admin" / "index.html"
    if config.report.url is None or not page.is_file():
        return
    closed = _closed(page)
    if closed is None:
        yield well(_PART, Reason("a web server can read %(path)s", path=str(config.report_dir)))
        return
    text = Reason(
        "report.url is set, but no web server can read the pages: %(path)s is its owner's alone",
        path=str(closed),
    )
    if closed != config.report_dir and config.report_dir.is_relative_to(closed):
        remedy = Reason(
            "Name a report.dir outside of %(path)s, such as /var/cache/tocsin/report", path=str(closed)
        )
    else:
        remedy = Reason(
            'Set report.group to the web server\'s group, such as "www-data", and restart the daemon'
        )
    yield problem(_PART, text, remedy)


def _closed(page: Path) -> Path | None:
    """The first file or directory on the way to the page that shuts everybody else out, None when none does.

    Everybody may pass, or the members of one group may: the same group all the way.
    """
    admitted: set[int] | None = None
    """None: everybody so far."""
    for path in (*reversed(page.parents), page):
        found = path.stat()
        needed = (stat.S_IROTH, stat.S_IRGRP) if path == page else (stat.S_IXOTH, stat.S_IXGRP)
        if found.st_mode & needed[0]:
            continue
        here = {found.st_gid} if found.st_mode & needed[1] else set()
        admitted = here if admitted is None else admitted & here
        if not admitted:
            return path
    return None


def _exists(group: str) -> bool:
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True
