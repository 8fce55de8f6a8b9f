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
    monkeypatch.delitem(sys.modules, "subject", raising=False)

    def asked(
        code: str,
        function: str,
        arguments: dict[str, Any] | None = None,
        error: str = "KeyError",
        **more: Any,
    ) -> tuple[str, str]:
        (tmp_path / "subject.py").write_text(code)
        call = Call("__main__", function, "/srv/subject.py", error, arguments or {}, **more)
        subject = locate(tmp_path, call)
        assert subject is not None
        located = Located(call, subject, [subject] if call.modules else [])
        content = data(7, "tests", files=[], changes=[], modules=[], calls=[located])
        names = runpy.run_path(str(write(tmp_path, "tests", "test_it", content)))
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
        ("async def f(x):\n    yield 1\n    yield {}[x]", "f"),
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


def described(kind: str, *held: Any) -> dict[str, Any]:
    return {"x": {"$": [kind, *held]}}


POINT = (
    "import dataclasses, enum\nclass Colour(enum.Enum):\n    RED = 1\n"
    "class Point:\n    def __init__(self, far, away):\n        raise SystemExit('made')\n"
    "@dataclasses.dataclass(frozen=True, slots=True)\nclass Slotted:\n    n: int\n"
)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (described("tuple", [1, {"$": ["date", "2024-02-29"]}]), "{}[x[0], x[1].year]"),
        (described("set", [1, 2]), "{}[len(x | {3})]"),
        (described("bytes", "00ff"), "{}[x + b'a']"),
        (described("datetime", "2024-02-29T10:00:00+02:00"), "{}[x.utcoffset()]"),
        (described("timedelta", [1, 2, 3]), "{}[x.total_seconds()]"),
        (described("Decimal", "1.50"), "{}[x + 1]"),
        (described("enum", "subject.Colour", "RED"), "{}[Colour.RED is x and x.value]"),
        (
            described("object", "subject.Point", {"n": 2, "next": {"$": ["object", "subject.Point", {}]}}),
            "{}[x.n]",
        ),
        (described("object", "subject.Slotted", {"n": 2}), "{}[x.n + hash(x) * 0]"),
    ],
)
def test_arguments_that_are_objects_are_put_together_again(
    ask: Ask, given: dict[str, Any], code: str
) -> None:
    outcome, detail = ask(f"{POINT}\ndef f(x):\n    return {code}", "f", described=given)
    assert outcome == "same", detail


@pytest.mark.parametrize(
    "given",
    [
        described("object", "subprocess.Popen", {"args": "id"}),
        described("object", "os._wrap_close", {}),
        described("object", "nowhere.Gone", {}),
        described("object", "subject.Gone", {}),
        described("object", "subject.dataclasses.Field", {}),
        described("object", "subject.Point.__init__", {}),
        described("enum", "subject.Colour", "__class__"),
        described("enum", "subject.Colour", "BLUE"),
        described("eval", "1"),
        described("object", "subject.Slotted", {"other": 1}),
    ],
)
def test_what_is_no_class_of_the_project_is_never_put_together(ask: Ask, given: dict[str, Any]) -> None:
    assert ask(f"{POINT}\ndef f(x): raise KeyError", "f", described=given)[0] == "impossible"


def test_a_method_is_called_on_the_object_as_it_was(ask: Ask) -> None:
    code = "class A:\n    def __init__(self, n): pass\n    def f(self, x):\n        return {}[self.n + x]"
    given = {"self": {"$": ["object", "subject.A", {"n": 1}]}, "x": 2}
    assert ask(code, "A.f", described=given) == ("same", "the error came back: KeyError: 3")


def test_a_class_of_the_main_program_is_found_in_its_file(ask: Ask) -> None:
    given = described("object", "__main__.Point", {"n": 2})
    code = f"{POINT}\ndef f(x):\n    return {{}}[isinstance(x, Point) and x.n]"
    assert ask(code, "f", described=given) == ("same", "the error came back: KeyError: 2")


@pytest.mark.parametrize("inner", ["sum({}[k] for k in x)", "sorted(x, key=lambda k: {}[k])", "g(x)"])
def test_the_function_around_a_lambda_is_called(ask: Ask, inner: str) -> None:
    within = {"s": "f.<genexpr>", "o": "f.<lambda>", "g": "f.g"}[inner[0] if inner[1] != "o" else "o"]
    code = f"def f(x):\n    def g(a):\n        return {{}}[a[0]]\n    return {inner}"
    assert ask(code, "f", {"x": ["a"]}, within=within)[0] == "same"


def test_an_application_that_a_function_makes_is_entered(ask: Ask) -> None:
    code = (
        "from flask import Flask, current_app\n\ndef create_app():\n    return Flask('it')\n\n"
        "def f(x):\n    return current_app.config[x]"
    )
    above = [("subject", "/srv/subject.py")]
    assert ask(code, "f", {"x": "a"}, modules=above) == ("same", "the error came back: KeyError: 'a'")
