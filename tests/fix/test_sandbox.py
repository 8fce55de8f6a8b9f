"""The sandbox that the documentation shows: the agent corrects in it, and sees nothing of anybody's."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from support.bug_records import ROOT
from support.markdown import blocks

from .conftest import Bench


def documented() -> list[str]:
    """The words of the example."""
    texts = [block.text for block in blocks(ROOT / "docs" / "agents.md") if '"bwrap"' in block.text]
    assert len(texts) == 1
    found: list[str] = tomllib.loads(texts[0])["agent"]["sandbox"]
    return found


@pytest.fixture
def boxed(bench: Bench) -> Bench:
    """With what the tests' own agent needs to be seen besides."""
    seen = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parents[1]), str(ROOT / "tests"),
            str(ROOT / "examples")}  # fmt: skip
    bench.settings = {
        "sandbox": [*documented(), *(word for path in sorted(seen) for word in ("--ro-bind", path, path))]
    }
    return bench.at("wrong_key")


def test_an_agent_corrects_in_the_sandbox_and_what_it_wrote_is_tested_there(boxed: Bench) -> None:
    ended = boxed.fix(f"peeks:{boxed.project}")
    assert (ended.state, ended.reasons) == ("corrected", [])


def test_what_it_wrote_is_tested_outside_where_there_is_no_sandbox(bench: Bench) -> None:
    ended = bench.at("wrong_key").fix(f"peeks:{bench.project}", again=True)
    assert (ended.state, "AssertionError" in ended.reasons[0]) == ("failed", True)


def test_an_agent_in_the_sandbox_sees_neither_home_nor_project_nor_database(boxed: Bench) -> None:
    wanted = [str(boxed.project), str(Path.home() / ".profile"), boxed.store.url.removeprefix("sqlite:///")]
    assert all(Path(path).exists() for path in wanted if "profile" not in path)
    seen = boxed.fix(f"looks:{':'.join(wanted)}", again=True).output
    assert "looked" in seen
    assert "sees " not in seen


def test_without_a_sandbox_it_sees_them(bench: Bench) -> None:
    assert f"sees {bench.project}" in bench.at("wrong_key").fix(f"looks:{bench.project}", again=True).output
