"""Who may read the report directory: the group that is named, whatever the umask; nobody learns a client's folder."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from report_data import NOW, fill_one, plain, write_config

from tocsin.daemon import config as configuration
from tocsin.daemon.config import Config
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Client
from tocsin.reports.permissions import GroupError
from tocsin.reports.writer import ReportWriter

OWN_GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture(params=[0o077, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def report(store: Store, place: Path, **settings: str) -> Config:
    """The pages of a filled database, written."""
    data = write_config(place)
    data["report"] = {**data.get("report", {}), "dir": str(place / "report"), **settings}
    config = configuration.parse(data, {})
    ReportWriter(store, config).write(NOW)
    return config


@pytest.fixture
def filled(store: Store) -> None:
    with store.transaction():
        fill_one(plain)


def modes(root: Path) -> dict[str, int]:
    """What pages and directories permit, without what is the writer's own."""
    found = {".": stat.S_IMODE(root.stat().st_mode)}
    for path in root.rglob("*"):
        if not path.name.startswith("."):
            found[str(path.relative_to(root))] = stat.S_IMODE(path.stat().st_mode)
    return found


def expected(name: str, root: Path) -> int:
    if name == "clients":
        return 0o710
    return 0o750 if (root / name).is_dir() else 0o640


@pytest.mark.usefixtures("filled")
def test_a_group_that_is_named_may_read_the_pages_whatever_the_umask(
    store: Store, tmp_path: Path, umask: int
) -> None:
    root = report(store, tmp_path, group=OWN_GROUP).report_dir
    found = modes(root)
    assert any(name.startswith("clients/") and name.endswith("index.html") for name in found)
    assert found == {name: expected(name, root) for name in found}


@pytest.mark.usefixtures("filled")
def test_pages_from_before_the_group_was_named_become_its_own(store: Store, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        report(store, tmp_path)
        root = report(store, tmp_path, group=OWN_GROUP).report_dir
    finally:
        os.umask(before)
    found = modes(root)
    assert found == {name: expected(name, root) for name in found}


@pytest.mark.usefixtures("filled")
def test_without_a_group_the_umask_says_who_may_read_and_nobody_else_lists_clients(
    store: Store, tmp_path: Path, umask: int
) -> None:
    root = report(store, tmp_path).report_dir
    assert modes(root)["admin/index.html"] == 0o666 & ~umask
    assert modes(root)["clients"] == 0o777 & ~umask & ~0o044


@pytest.mark.usefixtures("filled")
def test_nothing_outside_admin_names_the_folder_of_a_client(store: Store, tmp_path: Path) -> None:
    root = report(store, tmp_path).report_dir
    (root / ".shelf").write_text("left by an earlier version")
    root = report(store, tmp_path).report_dir
    folders = [client.folder.encode() for client in Client.select() if client.folder]
    assert folders
    telling = [
        path.relative_to(root)
        for path in root.rglob("*")
        if path.is_file() and any(folder in path.read_bytes() for folder in folders)
    ]
    assert telling == [Path("admin/.written")]
    assert stat.S_IMODE((root / telling[0]).stat().st_mode) == 0o600
    assert not (root / ".shelf").exists()


def test_a_group_that_is_not_there_is_named_with_its_remedy(store: Store, tmp_path: Path) -> None:
    with pytest.raises(GroupError, match=r"report\.group = 'no-such-group'.*groupadd"):
        report(store, tmp_path, group="no-such-group")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be a user outside of the group")
def test_a_writer_that_is_no_member_of_the_group_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    code = (
        "import os, sys; from tocsin.reports.report_files import ReportFiles; from pathlib import Path\n"
        "os.setgroups([]); os.setgid(65533); os.setuid(65533)\n"
        f"files = ReportFiles(Path({str(tmp_path / 'report')!r}), 'daemon')\n"
        "with files.locked(): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "its user must be a member" in done.stderr
