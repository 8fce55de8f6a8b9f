"""The wheel holds what it must, and the handler needs only the base dependencies."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("handler", "daemon", "reports")
IMPORT_WITH_BASE_DEPENDENCIES_ALONE = """
import sys

allowed = {"tocsin", "zmq", "msgspec", *sys.stdlib_module_names}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"not a base dependency: {name}", name=name)

sys.meta_path.insert(0, Refuse())
import tocsin.handler
tocsin.handler.TocsinHandler
assert not any(name.startswith(("tocsin.daemon", "tocsin.reports")) for name in sys.modules)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built from a copy of the source."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("systemd", "share"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", "."],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def files(*patterns: str) -> set[str]:
    """Our files of these patterns, by their names in a wheel."""
    found = (path for name in PACKAGES for pattern in patterns for path in (ROOT / name).rglob(pattern))
    return {f"tocsin/{path.relative_to(ROOT)}" for path in found if path.is_file()}


def test_every_module_is_in_the_wheel_and_nothing_else_is(wheel: set[str]) -> None:
    assert {name for name in wheel if name.endswith(".py")} == files("*.py")


def test_templates_styles_translations_and_type_marks_are_in_the_wheel(wheel: set[str]) -> None:
    data = files("py.typed", "templates/**/*", "static/**/*", "*.mo")
    assert {name for name in data if not name.endswith((".py", ".pyc"))} <= wheel


def test_the_units_are_installed_beside_the_packages(wheel: set[str]) -> None:
    units = {path.name for path in (ROOT / "systemd").iterdir()}
    assert {Path(name).name for name in wheel if "/data/share/tocsin/systemd/" in name} == units


def test_the_man_page_and_the_completions_are_installed_where_man_and_the_shells_look(
    wheel: set[str],
) -> None:
    made = {str(path.relative_to(ROOT)) for path in (ROOT / "share").rglob("*") if path.is_file()}
    assert len(made) == 4
    assert made <= {name.partition("/data/")[2] for name in wheel}


def test_the_handler_needs_only_pyzmq_and_msgspec() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITH_BASE_DEPENDENCIES_ALONE],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
