"""Real exceptions and messages under three Pythons, before and after a shift, a reformat and a move."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tocsin.daemon.grouping.sign import Signature, sign
from tocsin.handler.protocol.event import CodeLocation, Event

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
VARIANTS = ("plain", "shifted", "black", "moved")

Found = dict[str, tuple[Event, list[CodeLocation]]]


def interpreter(version: str) -> str | None:
    """A Python of this version: the running one, pyenv's newest, or one on the path that starts."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = shutil.which(f"python{version}")
    for candidate in [*sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True), named]:
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None


def msgspec_for(version: str, shared: Path) -> Path | None:
    """A directory with msgspec for this version, installed once per test session; None without the index."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return Path(msgspec.__file__).parent.parent
    target = shared / f"msgspec-{version}"
    with open(shared / f"msgspec-{version}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            pip = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
            ]
            where = ["--only-binary=:all:", "--python-version", version, "--target", str(target) + ".new"]
            wanted = f"msgspec=={msgspec.__version__}"
            if subprocess.run([*pip, *where, wanted], capture_output=True, timeout=100).returncode:
                return None
            os.rename(str(target) + ".new", target)
    return target


def package(folder: Path) -> Path:
    """`tocsin.handler` without its `__init__`, which would need pyzmq for that Python too."""
    handler = folder / "ours" / "tocsin" / "handler"
    handler.mkdir(parents=True)
    for entry in (ROOT / "handler").iterdir():
        if entry.name != "__init__.py":
            (handler / entry.name).symlink_to(entry)
    return folder / "ours"


def application(folder: Path, variant: str) -> Path:
    """The application's source tree in this variant; the directory to put on the path."""
    root = folder / ("elsewhere/deeper/app" if variant == "moved" else "app")
    (root / "shop").mkdir(parents=True)
    for file in (HERE / "live" / ("black" if variant == "black" else "plain")).glob("*.txt"):
        text = file.read_text("utf-8")
        if variant == "shifted":
            text = "# one more line\n\n\n" + text.replace("\ndef ", "\n# and another\ndef ")
        (root / "shop" / file.stem).write_text(text, "utf-8")
    return root


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Found]:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    found: dict[tuple[str, str], Found] = {}
    for version in VERSIONS:
        python = interpreter(version)
        library = msgspec_for(version, shared) if python else None
        if python is None or library is None:
            continue
        for variant in VARIANTS:
            folder = tmp_path_factory.mktemp(f"live-{version}-{variant}")
            app = application(folder, variant)
            path = os.pathsep.join(map(str, (app, package(folder), library)))
            done = subprocess.run(
                [python, "-B", str(HERE / "live" / "run.py")],
                env={"PYTHONPATH": path, "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUTF8": "1"},
                cwd=folder,
                capture_output=True,
                timeout=100,
            )
            assert done.returncode == 0, done.stderr.decode()
            found[version, variant] = msgspec.msgpack.decode(done.stdout, type=Found)
    return found


def signed(event: Event, places: list[CodeLocation]) -> Signature:
    return sign(event, {(place.path, place.line): place for place in places})


@pytest.mark.parametrize("version", VERSIONS)
def test_each_python_takes_part(raised: dict[tuple[str, str], Found], version: str) -> None:
    if (version, "plain") not in raised:
        pytest.skip(f"no CPython {version} here, or no msgspec for it to be had")
    assert len(raised[version, "plain"]) >= 40


def test_every_error_has_one_signature_in_every_python_and_variant(
    raised: dict[tuple[str, str], Found],
) -> None:
    names = {name for found in raised.values() for name in found}
    differing = {}
    for name in sorted(names):
        seen = {key: signed(*found[name]) for key, found in raised.items() if name in found}
        if len({one.fine for one in seen.values()}) > 1 or len({one.coarse for one in seen.values()}) > 1:
            differing[name] = {key: one.components for key, one in seen.items()}
        assert len(seen) == len(raised), name
    assert not differing


def test_no_two_errors_share_a_signature(raised: dict[tuple[str, str], Found]) -> None:
    for found in raised.values():
        by_fine: dict[str, list[str]] = {}
        for name, (event, places) in found.items():
            by_fine.setdefault(signed(event, places).fine, []).append(name)
        # A traceback printed with and without words around it is one error.
        shared = [sorted(names) for names in by_fine.values() if len(names) > 1]
        assert shared == [["say5", "say6"]]


def test_every_exception_is_placed_in_the_application(raised: dict[tuple[str, str], Found]) -> None:
    for found in raised.values():
        for name, (event, places) in found.items():
            components = signed(event, places).components
            assert "shop." in str(components), (name, components)
