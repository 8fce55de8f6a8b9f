"""What comes from outside is data: in 40 payloads and every field nothing of it is code or leads outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.daemon.corrections.recording import CorrectionError, NewCorrection, check, inside, read_text
from tocsin.daemon.corrections.validation import Call, Case, Change, Options, validate
from tocsin.daemon.corrections.validation.case import checked, plain
from tocsin.daemon.corrections.validation.generated import CODE, Located, data, name_of, write
from tocsin.daemon.corrections.validation.project import Subject, locate

CANARY = "CANARY"
RUN = f"open({CANARY!r}, 'w').close()"
IMPORT = f"__import__('pathlib').Path({CANARY!r}).touch()"
PAYLOADS = [
    '"""', "'''", f'"""\n{RUN}\n"""', f"'''\n{RUN}\n'''", f'"\n{RUN}\n"', f"'\n{RUN}\n'",
    f"\r{RUN}", f"\r\n{RUN}", f"\n{RUN}\n", f"\x0b{RUN}", f"\x0c{RUN}", f"\x1c{RUN}", f"\x85{RUN}",
    f"\u2028{RUN}", f"\u2029{RUN}", f"\\\n{RUN}", "\\", '\\"', "\\'", "\\N{BELL}", "\\x41", "\\u0041",
    "\\N{not a name}", "{" + IMPORT + "}", "{{" + IMPORT + "}}", "{" + IMPORT + "!r}", "%(x)s %s %n",
    "${" + IMPORT + "}", "$(touch CANARY)", "`touch CANARY`", "; touch CANARY #", "\0", f"\0{RUN}",
    "\ud800", "\udcff\ud800", "\u202e" + RUN, IMPORT, f"exec({RUN!r})", f"#\r{RUN}", "9" * 5000,
]  # fmt: skip
VALUES: list[Any] = [
    2**63,
    -(2**80),
    10**5000,
    float("nan"),
    float("inf"),
    b"x",
    (1,),
    {1: 2},
    {"a": {"b": object()}},
]
SUBJECT = "def answer(text):\n    raise KeyError(text)\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)  # Where a payload that runs, in whatever process, leaves its canary.
    (root / "subject.py").write_text(SUBJECT)
    return root


def hostile(text: str) -> bytes:
    """The data of a test with the payload in every field."""
    return data(
        7,
        "tests",
        files=[text],
        changes=[Change(text, text, text, text, text, recorded=text)],
        modules=[Subject("subject.py", ".", "subject"), Subject(text, text, text), Subject(text, ".", None)],
        calls=[
            Located(
                Call("subject", "answer", "subject.py", "KeyError", {"text": text}),
                Subject("subject.py", ".", None),
            ),
            Located(Call(text, text, text, text, {text: text}), Subject(text, text, text)),
            Located(Call(text, text, text, text, {text: [text, {text: text}]}), Subject(text, ".", None)),
        ],
    )


def test_there_are_forty_payloads() -> None:
    assert len(PAYLOADS) == len(set(PAYLOADS)) == 40


@pytest.mark.parametrize("text", PAYLOADS, ids=range(40))
def test_a_payload_in_every_field_leaves_the_code_as_it_is_and_runs_nothing(project: Path, text: str) -> None:
    test = write(project, "tests", 7, hostile(text))
    assert test.read_bytes() == CODE
    assert test.with_suffix(".json").read_bytes().isascii()
    assert json.loads(test.with_suffix(".json").read_bytes())["calls"][0]["arguments"] == {"text": text}
    done = subprocess.run(
        [sys.executable, "-S", str(test)], cwd=project, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1  # the payload is no file of the project
    assert b"test_the_error_does_not_come_back: failed" in done.stdout, done
    assert not [path for path in project.rglob("*") if path.name.startswith(CANARY)]


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_from_the_data_as_it_was(text: str) -> None:
    found = json.loads(hostile(text))
    assert found["changes"] == [{"file": text, "old": text, "new": text}]
    assert found["calls"][2]["arguments"] == {text: [text, {text: text}]}


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_what_json_would_change_is_no_argument(value: Any) -> None:
    assert not plain({"a": value})
    call = Call("m", "f", "m.py", "KeyError", {"a": value})
    assert checked(Case(1, "", [call])).calls[0].arguments is None


@pytest.mark.parametrize(
    "name", ["f()", "a b", "", "x;y", "f\n", "os.", "__import__('os')", "<lambda>", "a-b"]
)
def test_what_is_no_name_of_a_function_is_never_called(name: str) -> None:
    call = Call("subject", name, "/srv/subject.py", "KeyError", {})
    assert checked(Case(7, "", [call])).calls[0].arguments is None


@pytest.mark.parametrize("name", ["system", "os.system"])
def test_only_a_function_written_in_the_file_is_ever_called(project: Path, name: str) -> None:
    (project / "subject.py").write_text(f"import os\nfrom os import system\n{SUBJECT}")
    arguments = {"command": f"touch {project}/{CANARY}"}
    case = checked(Case(7, "", [Call("subject", name, "/srv/subject.py", "KeyError", arguments)]))
    case = Case(7, "", case.calls, [Change("subject.py", "pass", "import os")])
    outcome = validate(case, project, Options(pytest=False), "now")
    assert (outcome.status, outcome.reproduced) == ("pending", False), outcome
    assert not (project / CANARY).exists()


@pytest.mark.parametrize("module", ["os", "subprocess", "antigravity", "json.tool", "subject"])
def test_a_module_outside_the_project_is_never_imported(project: Path, module: str) -> None:
    subject = Subject("subject.py", ".", module)
    call = Call(module, "system", "subject.py", "KeyError", {"command": f"touch {project}/{CANARY}"})
    content = data(7, "tests", files=[], changes=[], modules=[subject], calls=[Located(call, subject)])
    test = write(project, "tests", 7, content)
    done = subprocess.run(
        [sys.executable, str(test)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "test_the_error_does_not_come_back: skipped" in done.stdout, done
    assert not (project / CANARY).exists()


ATTACKS = [
    "../secret.py", "a/../../secret.py", "/etc/passwd", "{outside}/secret.py", "../project-2/secret.py",
    "link.py", "directory/secret.py", "secret\0.py", "circle/x.py", "\ud800.py",
]  # fmt: skip


@pytest.fixture
def besieged(project: Path, tmp_path: Path) -> Path:
    """A project with links that lead out, and secrets around it."""
    outside = tmp_path / "outside"
    for directory in (tmp_path, outside, tmp_path / "project-2"):
        directory.mkdir(exist_ok=True)
        (directory / "secret.py").write_text("SECRET = 1\n")
    (project / "link.py").symlink_to(outside / "secret.py")
    (project / "directory").symlink_to(outside)
    (project / "circle").symlink_to("circle")
    os.mkfifo(project / "pipe.py")
    return project


def attack(name: str, project: Path) -> str:
    return name.replace("{outside}", str(project.parent / "outside"))


@pytest.mark.parametrize("name", ATTACKS, ids=range(len(ATTACKS)))
def test_a_path_that_leads_out_is_refused_when_it_is_recorded(besieged: Path, name: str) -> None:
    path = attack(name, besieged)
    with pytest.raises(CorrectionError):
        check(NewCorrection(1, path, "a", "SECRET = 1"), besieged)


@pytest.mark.parametrize("name", ATTACKS, ids=range(len(ATTACKS)))
def test_a_path_that_leads_out_is_not_read_by_a_validation(besieged: Path, name: str) -> None:
    path = attack(name, besieged)
    call = Call("secret", "f", path, "KeyError", {})
    located = locate(besieged, call)
    assert located is None or inside(besieged, located.file).is_relative_to(besieged.resolve())
    case = Case(7, "", [call], [Change(path, "a", "SECRET = 1")])
    outcome = validate(case, besieged, Options(pytest=False), "now")
    assert outcome.status == "failed"
    assert outcome.runs == []


@pytest.mark.parametrize("name", ATTACKS, ids=range(len(ATTACKS)))
def test_a_path_that_leads_out_is_refused_by_the_generated_test_too(besieged: Path, name: str) -> None:
    subject = Subject(attack(name, besieged), ".", None)
    content = data(7, "tests", files=[subject.file], changes=[], modules=[subject], calls=[])
    test = write(besieged, "tests", 7, content)
    done = subprocess.run(
        [sys.executable, "-S", str(test)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "test_the_failing_module_imports: failed" in done.stdout, done
    assert ("test_the_corrected_files_compile: failed" in done.stdout) == name.endswith(".py")


def test_a_pipe_in_the_project_keeps_nobody_waiting(besieged: Path) -> None:
    with pytest.raises(CorrectionError, match="no such file"):
        read_text(besieged, "pipe.py")


def test_a_link_in_the_tests_place_is_replaced_and_not_followed(besieged: Path) -> None:
    (besieged / "tests").mkdir()
    secret = besieged.parent / "secret.py"
    (besieged / "tests" / f"{name_of(7)}.py").symlink_to(secret)
    write(besieged, "tests", name_of(7), b"{}")
    assert secret.read_text() == "SECRET = 1\n"


def test_a_test_folder_that_leads_out_is_refused(besieged: Path) -> None:
    case = Case(7, "", [], [Change("subject.py", "a", "def answer")])
    with pytest.raises(CorrectionError, match="outside the project"):
        validate(case, besieged, Options(pytest=False, write=True, folder="../elsewhere"), "now")
