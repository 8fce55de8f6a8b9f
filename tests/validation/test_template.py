"""The generated test's own judgement: which calls can be made again, and what comes of them."""

from __future__ import annotations

import ast
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tocsin.daemon.corrections.validation import Call
from tocsin.daemon.corrections.validation.generated import CODE, Located, data, write
from tocsin.daemon.corrections.validation.project import locate

Ask = Callable[..., tuple[str, str]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What becomes of a call of a function in this code: (outcome, detail)."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def asked(
        code: str, function: str, arguments: dict[str, Any] | None = None, error: str = "KeyError"
    ) -> tuple[str, str]:
        (tmp_path / "subject.py").write_text(code)
        call = Call("__main__", function, "/srv/subject.py", error, arguments or {})
        subject = locate(tmp_path, call)
        assert subject is not None
        located = Located(call, subject)
        content = data(7, "tests", files=[], changes=[], modules=[], calls=[located])
        names = runpy.run_path(str(write(tmp_path, "tests", 7, content)))
        found: tuple[str, str] = names["_outcome"](names["DATA"]["calls"][0])
        return found

    return asked


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("def f(x):\n    return {}[x]", "f"),
        ("def f(x, /):\n    return {}[x]", "f"),
        ("def f(*, x):\n    return {}[x]", "f"),
        ("def f(x):\n    return [{}[k] for k in [x]]", "f"),
        ("def f(x):\n    yield 1\n    yield {}[x]", "f"),
        ("async def f(x):\n    return {}[x]", "f"),
        ("class A:\n    def f(self, x):\n        return {}[x]", "A.f"),
        ("class A:\n    @staticmethod\n    def f(x):\n        return {}[x]", "A.f"),
        ("class A:\n    @classmethod\n    def f(cls, x):\n        return {}[x]", "A.f"),
        ("class A:\n    class B:\n        def f(self, x):\n            return {}[x]", "A.B.f"),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 0\n"
         "    def f(self, x):\n        return {}[x]", "A.f"),
        ("import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(*a):\n        return g(*a)\n"
         "    return w\n@d\ndef f(x):\n    return {}[x]", "f"),
    ],
)  # fmt: skip
def test_functions_and_methods_of_every_plain_kind_fail_again(ask: Ask, code: str, function: str) -> None:
    assert ask(code, function, {"x": "a"}) == ("same", "the error came back: KeyError: 'a'")


@pytest.mark.parametrize(
    ("code", "function", "why"),
    [
        ("class A:\n    def __init__(self, n): pass\n    def f(self, x): pass", "A.f", "without arguments"),
        ("class A:\n    @property\n    def f(self): raise KeyError", "A.f", "no plain function"),
        ("def d(g):\n    return lambda *a: g(*a)\n@d\ndef f(x): pass", "f", "no plain function"),
        ("def f(y): pass", "f", "other parameters"),
        ("def f(x, y): pass", "f", "other parameters"),
        ("def f():\n    def g(x): pass", "f.g", "not a class"),
        ("async def f(x):\n    yield x", "f", "asynchronous generator"),
        ("f = 1", "f", "no plain function"),
        ("", "f", "no plain function"),
        ("import nowhere_to_be_found\ndef f(x): pass", "f", "cannot be imported"),
        ("raise SystemExit(0)", "f", "cannot be imported"),
    ],
)
def test_what_cannot_be_called_again_is_said_to_be_so(ask: Ask, code: str, function: str, why: str) -> None:
    outcome, detail = ask(code, function, {"x": "a"})
    assert (outcome, why in detail) == ("impossible", True), detail


def test_a_call_that_returns_has_not_failed(ask: Ask) -> None:
    assert ask("def f(x):\n    return x", "f", {"x": 1})[0] == "returned"


def test_another_type_from_the_same_place_is_another_error(ask: Ask) -> None:
    assert ask("def f(x):\n    return x + 1", "f", {"x": "a"})[0] == "other"


def test_the_same_type_from_another_place_is_another_error(ask: Ask) -> None:
    assert ask("def g(x):\n    return {}[x]\ndef f(x):\n    return g(x)", "f", {"x": "a"})[0] == "other"


def test_an_error_raised_on_purpose_is_an_answer(ask: Ask) -> None:
    assert ask("def f(x):\n    raise ValueError('no such key')", "f", {"x": "a"})[0] == "deliberate"


def test_the_same_error_raised_on_purpose_has_come_back(ask: Ask) -> None:
    assert ask("def f(x):\n    raise KeyError(x)", "f", {"x": "a"})[0] == "same"


def test_an_error_inside_a_library_belongs_to_the_function_that_called_it(ask: Ask) -> None:
    code = "import json\ndef f(x):\n    return json.loads(x)"
    assert ask(code, "f", {"x": "{"}, "json.decoder.JSONDecodeError")[0] == "same"


def test_an_exception_of_the_main_script_is_known_by_its_name_there(ask: Ask) -> None:
    code = "class Bad(Exception): pass\ndef f(x):\n    raise Bad(x)"
    assert ask(code, "f", {"x": "a"}, "__main__.Bad")[0] == "same"


def test_a_function_that_ends_the_program_is_another_error(ask: Ask) -> None:
    assert ask("import sys\ndef f(x):\n    sys.exit(0)", "f", {"x": "a"})[0] == "other"


def test_the_arguments_are_fresh_copies(ask: Ask) -> None:
    code = "def f(x):\n    x.append(1)\n    return {}[len(x)]"
    assert ask(code, "f", {"x": []})[1].endswith("KeyError: 1")
    assert ask(code, "f", {"x": []})[1].endswith("KeyError: 1")


def test_the_code_needs_nothing_but_the_standard_library() -> None:
    roots = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(CODE))
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else
                     [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
    }  # fmt: skip
    assert roots <= sys.stdlib_module_names
