"""What the pages tell to change in the settings is there to be changed; the rehearsal types the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.markdown import ROOT, blocks

from tocsin.daemon.cli.setup import init
from tocsin.daemon.config import load

PAGES = [ROOT / "docs" / name for name in ("operations.md", "postgres.md")]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A configuration as `tocsin init` makes it, changed as both pages tell."""
    done = CliRunner().invoke(init, [str(tmp_path)])
    assert done.exit_code == 0, done.output
    changes = [
        block.text.partition("systemctl")[0].replace("/etc/tocsin", str(tmp_path))
        for page in PAGES
        for block in blocks(page)
        if block.text.startswith("sed ")
    ]
    assert len(changes) == 2
    for change in changes:
        subprocess.run(["bash", "-euo", "pipefail", "-c", change], check=True, stdout=subprocess.DEVNULL)
    return tmp_path / "tocsin.toml"


def test_the_settings_are_as_the_pages_say(settings: Path) -> None:
    config = load(str(settings), {})
    assert config.daemon.state_dir == "/var/lib/tocsin"
    assert config.daemon.socket_group == "tocsin"
    assert config.mail.admin == ["you@example.org"]
    assert config.database.url == "postgresql:///tocsin?host=/run/postgresql"


def test_every_block_is_typed_by_the_rehearsal_or_only_read() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert block.mark == "systemd" or block.language in ("toml", "python"), f"{page}:{block.line}"
