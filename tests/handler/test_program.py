"""What a process says of itself: its program, its role, its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

from tocsin.handler import program

SAY = "from tocsin.handler import program; print('|'.join(program.running(())[:2]))"


def run(*argv: str, arguments: list[str] | None = None, monkeypatch: pytest.MonkeyPatch) -> program.Program:
    monkeypatch.setattr(sys, "argv", [*argv, *(arguments or [])])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    return program.running(())


def said(pipe) -> None:
    pipe.send(program.running(()).role)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/srv/shop/.venv/bin/gunicorn", "shop.web:app"], "gunicorn"),
        (["/usr/bin/celery", "-A", "shop", "worker", "-l", "info"], "celery worker"),
        (["/usr/bin/celery", "-A", "shop", "beat"], "celery beat"),
        (["manage.py", "runserver", "8000"], "manage.py runserver"),
        (["manage.py", "--help"], "manage.py"),
        (["/srv/import.py", "customer7"], "import.py"),
        (["uwsgi"], "uwsgi"),
        ([""], "python"),
    ],
)
def test_the_program_is_what_was_started(argv: list[str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*argv, monkeypatch=monkeypatch).name == name


def test_a_module_is_named_as_it_was_started(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(SAY)
    done = subprocess.run(
        [sys.executable, "-m", "worker", "x"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "python -m worker|\n"


def test_a_forked_process_is_another_kind_than_the_one_that_forked_it(tmp_path: Path) -> None:
    fork = "if os.fork() == 0:\n    print(program.running(()).role)\nelse:\n    os.wait()\n"
    code = f"import os\n{SAY.split(';')[0]}\n{fork}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "forked\n"


@pytest.mark.parametrize(("method", "role"), [("fork", "ForkProcess"), ("spawn", "SpawnProcess")])
def test_the_processes_of_a_pool_are_one_kind_whatever_their_number(method: str, role: str) -> None:
    roles = []
    for _ in range(2):
        mine, theirs = get_context(method).Pipe()
        child = get_context(method).Process(target=said, args=(theirs,))
        child.start()
        roles.append(mine.recv())
        child.join()
    assert roles == [role, role]


def test_the_arguments_are_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run("job.py", arguments=["--password", "hunter2", "--token=abc123"], monkeypatch=monkeypatch)
    assert "hunter2" not in found.arguments
    assert "abc123" not in found.arguments
    assert found.arguments.startswith("--password")


def test_a_secret_key_among_the_arguments_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["job.py", "--with", "k" * 40])
    assert program.running((), "k" * 40).arguments == "--with '[scrubbed]'"


def test_the_arguments_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        len(run("job.py", arguments=["x" * 90] * 200, monkeypatch=monkeypatch).arguments) <= program.ARGUMENTS
    )


def test_a_command_line_that_is_none_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [b"x", 7, None])
    assert program.running(()).arguments == ""
    monkeypatch.delattr(sys, "argv")
    assert program.running(()) == ("", program.running(()).role, "")


def test_nothing_is_left_of_half_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(os.fsdecode(b"j\xffb.py"), arguments=[os.fsdecode(b"\xfe")], monkeypatch=monkeypatch)
    (found.name + found.arguments).encode()
