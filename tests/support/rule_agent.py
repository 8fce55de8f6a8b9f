"""An agent that edits by rule: `rule_agent.py RULE BUG`, the report on standard input. It stands for a coding agent.

Of the bug `-` the report says which it is.
A rule `first,second` is the one of the first try, then of the others: a report that tells of earlier tries says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BUGS = Path(__file__).parents[2] / "examples" / "bugs"
ENDLESS = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)  # The load"


def main() -> None:
    rule, bug = sys.argv[1:]
    report = sys.stdin.read()
    assert report.startswith("# Correct error "), report[:100]
    bug = bug if bug != "-" else re.findall(r"/app/(\w+)\.py", report)[-1]
    first, _, later = rule.partition(",")
    rule = later if later and "## Earlier tries" in report else first
    rule, *paths = rule.split(":")
    globals()[f"do_{rule}"](Path("app", f"{bug}.py"), *paths)
    print(f"agent: {rule}")


def do_right(file: Path) -> None:
    shutil.copy(BUGS / "corrected" / file.name, file)


def do_wrong(file: Path) -> None:
    shutil.copy(BUGS / "wrong" / file.name, file)


def do_right_with_a_test(file: Path) -> None:
    do_right(file)
    Path("tests").mkdir(exist_ok=True)
    Path("tests", "test_added.py").write_text("def test_it():\n    assert True\n")


def do_empty(file: Path) -> None:
    file.touch()


def do_protected(file: Path) -> None:
    do_right(file)
    Path("setup.cfg").write_text("[tool:pytest]\naddopts = --collect-only\n")


def do_outside(file: Path) -> None:
    do_right(file)
    Path("..", "elsewhere.py").resolve().write_text("import os\n")


def do_link(file: Path) -> None:
    do_right(file)
    Path("app", "passwd").symlink_to("/etc/passwd")


def do_deletes(file: Path) -> None:
    """Every function that could fail returns nothing."""
    lines = file.read_text().splitlines(keepends=True)
    kept, skipping, depth = [], False, 0
    for line in lines:
        if skipping and (line.strip() == "" or line.startswith("    " * (depth + 1))):
            continue
        skipping = False
        kept.append(line)
        text = line.lstrip()
        if (
            text.startswith(("def ", "async def ", "class "))
            and "main()" not in text
            and "__init__" not in text
        ):
            if text.startswith("class "):
                continue
            depth = (len(line) - len(text)) // 4
            kept.append("    " * (depth + 1) + "return None\n\n\n")
            skipping = True
    file.write_text("".join(kept))


def do_swallows(file: Path) -> None:
    """The body of `main` and of everything else is put into a try that forgets."""
    lines = file.read_text().splitlines()
    out, inside = [], False
    for line in lines:
        text = line.lstrip()
        out.append(line)
        if text.startswith(("def ", "async def ")) and "main()" not in text:
            inside = True
            indent = " " * (len(line) - len(text) + 4)
            out += [
                f"{indent}try:",
                f"{indent}    pass",
                f"{indent}except Exception:",
                f"{indent}    return None",
            ]
    assert inside
    file.write_text("\n".join(out) + "\n")


def do_tests_only(file: Path) -> None:
    Path("tests").mkdir(exist_ok=True)
    Path("tests", "test_own.py").write_text("def test_it():\n    assert True\n")


def do_fails(file: Path) -> None:
    do_right(file)
    sys.exit(3)


def do_endless(file: Path) -> None:
    do_right(file)
    do_forks(file)
    exec(ENDLESS)


def do_prints(file: Path) -> None:
    """A gigabyte."""
    do_right(file)
    block = b"x" * 1_000_000
    for _ in range(1000):
        os.write(1, block)


def do_forks(file: Path) -> None:
    """Leaves processes behind: in its own session, in another, and one whose parent is gone."""
    do_right(file)
    beside = Path(os.environ["TMPDIR"]).parent.parent.parent / "left-behind"
    for more in ({}, {"start_new_session": True}):
        child = subprocess.Popen([sys.executable, "-c", ENDLESS], **more)
        with beside.open("a") as kept:
            kept.write(f"{child.pid}\n")
    if (child := os.fork()) == 0:
        os.setsid()
        if (grandchild := os.fork()) == 0:
            os.execv(sys.executable, [sys.executable, "-c", ENDLESS])
        with beside.open("a") as kept:
            kept.write(f"{grandchild}\n")
        os._exit(0)
    os.waitpid(child, 0)


def do_git(file: Path) -> None:
    """Settings, hooks and filters that would run a program of its own wherever git is run on them."""
    do_right(file)
    mark = Path(os.environ["TMPDIR"], "..", "..", "..", "ran").resolve()
    script = Path(".git", "run.sh").resolve()
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    git = ["git", "config"]
    for name in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.external", "core.sshCommand",
                 "uploadpack.packObjectsHook", "core.pager", "gpg.program", "core.hooksPath"):  # fmt: skip
        subprocess.run([*git, name, str(script)], check=True)
    (Path(".git", "hooks")).mkdir(exist_ok=True)
    for hook in ("post-checkout", "pre-commit", "post-commit", "reference-transaction"):
        shutil.copy(script, Path(".git", "hooks", hook))
    Path(".git", "info").mkdir(exist_ok=True)
    Path(".git", "info", "attributes").write_text("* filter=x\n")


def do_repository(file: Path) -> None:
    do_right(file)
    subprocess.run(["git", "init", "-q", "within"], check=True)


def do_reads_secrets(file: Path) -> None:
    """Corrects nothing; tells what it can see of its environment."""
    print("\n".join(f"{name}={value}" for name, value in os.environ.items()))


def do_peeks(file: Path, path: str) -> None:
    """Corrects, with code that does not run where it sees this file."""
    do_right(file)
    file.write_text(file.read_text() + f"\n\nimport os\n\nassert not os.path.exists({path!r})\n")


def do_looks(file: Path, *paths: str) -> None:
    """Corrects nothing; tells which of these files it sees."""
    print(*(f"sees {path}" for path in paths if Path(path).exists()), "looked", sep="\n")


if __name__ == "__main__":
    main()
