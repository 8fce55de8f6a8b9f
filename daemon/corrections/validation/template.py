"""A regression test, made by `tocsin validate`.

This code is the same for every error: what is particular stands in the JSON file beside it and is only ever
data. It calls nothing but functions of the project, found under the project's root. Needs no pytest: `python
FILE` runs it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import dis
import importlib
import importlib.util
import inspect
import json
import os
import sys
import types
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
DATA: dict[str, Any] = json.loads(HERE.with_suffix(".json").read_text("utf-8"))
ROOT = HERE.parent.joinpath(DATA["root"]).resolve()
OUTCOMES = os.environ.pop("TOCSIN_OUTCOMES", "")

_ITEMS = 100_000
_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")
_FOREIGN = ("site-packages", "dist-packages")


class Impossible(Exception):
    """The call cannot be made again; the text says why."""


def test_the_corrected_files_compile() -> None:
    with _told("compile"):
        for name in DATA["compiled"]:
            compile(_inside(name).read_bytes(), name, "exec", dont_inherit=True)


def test_the_new_code_is_in_place_and_the_old_is_gone() -> None:
    with _told("in_place"):
        for change in DATA["changes"]:
            text = _inside(change["file"]).read_bytes().decode("utf-8").replace("\r\n", "\n")
            old, new = (change[key].replace("\r\n", "\n") for key in ("old", "new"))
            assert new in text, f"the recorded new code is not in {change['file']}"
            if old:
                assert old not in text.replace(new, "\0"), f"the old code is still in {change['file']}"


def test_the_failing_module_imports() -> None:
    with _told("import"):
        for subject in DATA["modules"]:
            _module(subject)


def test_the_error_does_not_come_back() -> None:
    with _told("reproduction"):
        reasons = []
        wrong = []
        for index, call in enumerate(DATA["calls"]):
            outcome, detail = _outcome(call)
            _tell(test="call", index=index, status=outcome, detail=detail[:1000])
            if outcome == "impossible":
                reasons.append(detail)
            elif outcome in ("same", "other"):
                wrong.append(f"{call['module']}.{call['function']}: {detail}")
        assert not wrong, "; ".join(wrong)
        if reasons:
            raise unittest.SkipTest("; ".join(reasons))


def _outcome(call: dict[str, Any]) -> tuple[str, str]:
    """What became of the call: returned, same (the error came back), deliberate, other or impossible."""
    try:
        module = _module(call)
        function = _function(module, call)
        positional, named = _arguments(function, call["arguments"])
    except Impossible as reason:
        return "impossible", str(reason)
    except BaseException as error:
        return "impossible", f"the module cannot be imported: {_said(error)}"
    try:
        _run(function, positional, named)
    except BaseException as error:
        return _judged(error, call, module)
    return "returned", "the call returned"


def _judged(error: BaseException, call: dict[str, Any], module: types.ModuleType) -> tuple[str, str]:
    """Same: of the error's type, from its place. Deliberate: raised by a `raise` of the project itself."""
    frames = _frames(error)
    ours = [frame for frame in frames if _of_project(frame[0])]
    code = ours[-1][0] if ours else None
    if _type_name(error, call, module) == call["error"] and code is not None and _is(code, call):
        return "same", f"the error came back: {_said(error)}"
    if frames and ours and frames[-1] is ours[-1] and _raises(*frames[-1]):
        return "deliberate", f"the corrected code raises an error of its own: {_said(error)}"
    return "other", f"another error: {_said(error)}"


def _frames(error: BaseException) -> list[tuple[types.CodeType, int]]:
    """(code, last instruction) of the calls below this file, comprehensions as part of their function."""
    found: list[tuple[types.CodeType, int]] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if Path(code.co_filename).resolve() != HERE and code.co_name not in _COMPREHENSIONS:
            found.append((code, traceback.tb_lasti))
        traceback = traceback.tb_next
    return found


def _raises(code: types.CodeType, at: int) -> bool:
    return 0 <= at < len(code.co_code) and dis.opname[code.co_code[at]] == "RAISE_VARARGS"


def _of_project(code: types.CodeType) -> bool:
    path = Path(code.co_filename).resolve()
    return path.is_relative_to(ROOT) and not any(part in _FOREIGN for part in path.parts)


def _is(code: types.CodeType, call: dict[str, Any]) -> bool:
    return Path(code.co_filename).resolve() == _inside(call["file"]) and _plain_name(code) == call["function"]


def _plain_name(code: types.CodeType) -> str:
    """The qualified name as Tocsin writes it; before 3.11 code knows its last part only."""
    return str(getattr(code, "co_qualname", code.co_name)).replace("<locals>.", "")


def _type_name(error: BaseException, call: dict[str, Any], module: types.ModuleType) -> str:
    cls = type(error)
    if cls.__module__ == "builtins":
        return cls.__qualname__
    own = cls.__module__ == module.__name__
    return f"{call['module'] if own else cls.__module__}.{cls.__qualname__}"


def _said(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = type(error).__name__
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _module(subject: dict[str, Any]) -> types.ModuleType:
    """The project's module: only a file under the root is ever imported, whatever the name says."""
    path, base = _inside(subject["file"]), _inside(subject["import_root"])
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    name = subject["import_name"]
    if name is None:
        name = f"tocsin_subject_{abs(hash(str(path)))}"
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise Impossible(f"{subject['file']} is no Python module")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve() != path:
            raise Impossible(f"{subject['file']} is not what is imported as its module's name")
    module = importlib.import_module(name)
    if Path(module.__file__ or "").resolve() != path:
        raise Impossible(f"{subject['file']} is not what is imported as its module's name")
    return module


def _function(module: types.ModuleType, call: dict[str, Any]) -> Any:
    """The plain function or method, bound where it must be. Reads namespaces only: runs no property."""
    holder: Any = module
    parts = call["function"].split(".")
    for name in parts[:-1]:
        holder = vars(holder).get(name)
        if not isinstance(holder, type):
            raise Impossible(f"{name} is not a class of the module")
    found = vars(holder).get(parts[-1])
    kind = type(found)
    function = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    for _ in range(20):
        function = getattr(function, "__wrapped__", function) if callable(function) else function
    if not isinstance(function, types.FunctionType) or not _is(function.__code__, call):
        raise Impossible(f"{parts[-1]} is no plain function of that file now")
    if inspect.isasyncgenfunction(function):
        raise Impossible(f"{parts[-1]} is an asynchronous generator")
    if holder is module or kind is staticmethod:
        return function
    return types.MethodType(function, holder if kind is classmethod else _instance(holder))


def _instance(cls: type) -> Any:
    """An object made without arguments; nothing is made up for a class that wants some."""
    try:
        inspect.signature(cls).bind()
        return cls()
    except BaseException as error:
        raise Impossible(f"no {cls.__name__} can be made without arguments: {_said(error)}") from None


def _arguments(function: Any, given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The call's arguments, fresh copies, as (positional, named)."""
    given = json.loads(json.dumps(given))
    parameters = inspect.signature(function, follow_wrapped=False).parameters
    if any(name not in parameters for name in given):
        raise Impossible("the function has other parameters now")
    first = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_ONLY and n in given]
    positional = [given.pop(name) for name in first]
    try:
        inspect.signature(function, follow_wrapped=False).bind(*positional, **given)
    except TypeError as error:
        raise Impossible(f"the function has other parameters now: {error}") from None
    return positional, given


def _run(function: Any, positional: list[Any], named: dict[str, Any]) -> None:
    result = function(*positional, **named)
    if inspect.iscoroutine(result):
        # In a thread of its own: whoever runs this test may have an event loop going already.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _awaited(result)).result()
    elif inspect.isgenerator(result):
        for _ in islice(result, _ITEMS):
            pass


async def _awaited(coroutine: Any) -> Any:
    return await coroutine


def _inside(name: str) -> Path:
    """The file's path. What leads out of the project is refused."""
    path = ROOT.joinpath(name).resolve()
    if "\0" in name or not path.is_relative_to(ROOT):
        raise AssertionError("a path leads out of the project")
    return path


def _tell(**facts: Any) -> None:
    """Lets `tocsin validate` know that this was reached: an exit code alone proves nothing."""
    if OUTCOMES:
        with open(OUTCOMES, "a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


@contextlib.contextmanager
def _told(test: str) -> Iterator[None]:
    try:
        yield
    except unittest.SkipTest as reason:
        _tell(test=test, status="skipped", detail=str(reason)[:1000])
        raise
    except BaseException as error:
        kind = "missing" if isinstance(error, (Impossible, ModuleNotFoundError)) else "failed"
        _tell(test=test, status=kind, detail=_said(error)[:1000])
        raise AssertionError(_said(error)) from None
    _tell(test=test, status="passed", detail="")


def main() -> int:
    """Runs the tests without pytest; 0 when all passed."""
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"{name}: passed")
        except unittest.SkipTest as reason:
            print(f"{name}: skipped: {_said(reason)}")
        except BaseException as error:
            failed += 1
            print(f"{name}: failed: {_said(error)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
