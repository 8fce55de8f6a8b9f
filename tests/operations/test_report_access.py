"""The doctor says when no web server could read the pages that mails lead to, and how to open them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from tocsin.daemon.config import Config, parse
from tocsin.daemon.operations.environment import Finding
from tocsin.daemon.operations.report_access import report_access


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may pass, as pytest's are not."""
    directory = Path(tempfile.mkdtemp(prefix="tocsin-pages-"))
    directory.chmod(0o755)
    yield directory
    rmtree(directory)


def written(place: Path, url: str | None = "https://errors.example.org", **report: str) -> Config:
    root = place / "state" / "report"
    (root / "admin").mkdir(parents=True)
    (root / "admin" / "index.html").touch()
    open_to(place, 0o755, 0o755, 0o755, 0o644)
    return parse({"report": {"dir": str(root), **({"url": url} if url else {}), **report}}, {})


def open_to(place: Path, state: int, root: int, admin: int, page: int) -> None:
    path = place / "state"
    for part, mode in (("", state), ("report", root), ("admin", admin), ("index.html", page)):
        path = path / part
        path.chmod(mode)


def finding(config: Config) -> Finding:
    (found,) = report_access(config)
    return found


def test_pages_that_everybody_may_read_are_well(place: Path) -> None:
    assert finding(written(place)).ok


def test_pages_that_one_group_may_read_are_well(place: Path) -> None:
    config = written(place)
    open_to(place, 0o755, 0o750, 0o750, 0o640)
    assert finding(config).ok


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to two groups")
def test_two_groups_that_each_may_half_of_the_way_reach_nothing(place: Path) -> None:
    config = written(place)
    open_to(place, 0o755, 0o750, 0o750, 0o640)
    os.chown(place / "state" / "report", -1, 1)
    assert not finding(config).ok


def test_a_page_of_the_service_s_umask_is_found_with_its_remedy(place: Path) -> None:
    config = written(place)
    open_to(place, 0o755, 0o700, 0o700, 0o600)
    assert "no web server can read the pages" in finding(config).text
    assert "report.group" in finding(config).remedy


def test_a_state_directory_that_shuts_the_pages_in_is_found_with_its_remedy(place: Path) -> None:
    config = written(place)
    open_to(place, 0o700, 0o755, 0o755, 0o644)
    assert str(place / "state") in finding(config).text
    assert "report.dir" in finding(config).remedy


def test_pages_that_no_mail_leads_to_may_be_closed(place: Path) -> None:
    config = written(place, url=None)
    open_to(place, 0o700, 0o700, 0o700, 0o600)
    assert list(report_access(config)) == []


def test_a_group_that_is_not_there_is_found(place: Path) -> None:
    assert "groupadd --system no-such-group" in finding(written(place, group="no-such-group")).remedy
