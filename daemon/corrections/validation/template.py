"""A regression test, made by `tocsin validate`.

This code is the same for every error: what is particular stands in the JSON file beside it and is only ever
data. It calls nothing but functions of the project, found under the project's root. Needs no pytest: `python
FILE` runs it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import decimal
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
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
DATA: dict[str, Any] = json.loads(HERE.with_suffix(".json").read_text("utf-8"))
ROOT = HERE.parent.joinpath(DATA["root"]).resolve()
OUTCOMES = os.environ.pop("TOCSIN_OUTCOMES", "")

_ITEMS = 100_000
_COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>")
_COLLECTIONS: dict[str, Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_WRITTEN: dict[str, Any] = {
    "bytes": bytes.fromhex,
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
    "Decimal": decimal.Decimal,
}
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
    with contextlib.ExitStack() as around:
        try:
            module = _module(call)
            given = _given(call, module)
            function = _function(module, call, given)
            positional, named = _arguments(function, given)
            _enter_application(call, around)
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
    if _type_name(error, call, module) == call["error"] and code is not None and _is(code, call, "within"):
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


def _is(code: types.CodeType, call: dict[str, Any], which: str) -> bool:
    return Path(code.co_filename).resolve() == _inside(call["file"]) and _plain_name(code) == call[which]


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
    _set_up_django()
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


def _function(module: types.ModuleType, call: dict[str, Any], given: dict[str, Any]) -> Any:
    """The plain function or method, bound where it must be. Reads namespaces only: runs no property.

    A method is bound to what is given as `self`, which is taken out.
    """
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
    if not isinstance(function, types.FunctionType) or not _is(function.__code__, call, "function"):
        raise Impossible(f"{parts[-1]} is no plain function of that file now")
    if holder is module or kind is staticmethod:
        return function
    if kind is classmethod:
        return types.MethodType(function, holder)
    return types.MethodType(function, given.pop("self") if "self" in given else _instance(holder))


def _instance(cls: type) -> Any:
    """An object made without arguments; nothing is made up for a class that wants some."""
    try:
        inspect.signature(cls).bind()
        return cls()
    except BaseException as error:
        raise Impossible(f"no {cls.__name__} can be made without arguments: {_said(error)}") from None


def _given(call: dict[str, Any], module: types.ModuleType) -> dict[str, Any]:
    """The call's arguments, made anew: plain data, or objects put together from their attributes."""
    if call["described"] is None:
        found: dict[str, Any] = json.loads(json.dumps(call["arguments"]))
        return found
    known = {call["module"]: module}
    return {name: _rebuilt(value, known) for name, value in call["described"].items()}


def _rebuilt(value: Any, known: dict[str, types.ModuleType]) -> Any:
    """A value from its description: `{"$": [what it is, what it holds, ...]}`, or plain data.

    `known`: modules by the names that the application had for them, such as `__main__`.
    """
    if isinstance(value, list):
        return [_rebuilt(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"$"}:
        return {key: _rebuilt(item, known) for key, item in value.items()}
    kind, *held = value["$"]
    if kind in _COLLECTIONS:
        return _COLLECTIONS[kind](_rebuilt(held[0], known))
    if kind in _WRITTEN:
        return _WRITTEN[kind](held[0])
    if kind not in ("enum", "object"):
        raise Impossible(f"an argument is a {kind}, which cannot be made again")
    cls = _class(held[0], known)
    if kind == "enum":
        member = getattr(cls, "__members__", {}).get(held[1])
        if member is None:
            raise Impossible(f"{held[0]} has no {held[1]} now")
        return member
    try:
        made = object.__new__(cls)
        for name, item in held[1].items():
            object.__setattr__(made, name, _rebuilt(item, known))
    except (TypeError, AttributeError) as error:
        raise Impossible(f"no {held[0]} can be put together from its attributes: {_said(error)}") from None
    return made


def _class(name: str, known: dict[str, types.ModuleType]) -> Any:
    """A class of the project by `module.QualName`. Only files under the root are ever imported."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        name_of_module = ".".join(parts[:end])
        module = known.get(name_of_module) or _of_the_project(name_of_module)
        if module is None:
            continue
        holder: Any = module
        for part in parts[end:]:
            holder = vars(holder).get(part) if isinstance(holder, (type, types.ModuleType)) else None
        if isinstance(holder, type):
            return holder
    raise Impossible(f"{name} is no class of the project, so that no such object can be put together")


def _of_the_project(name: str) -> types.ModuleType | None:
    """The project's module of that name, imported; None where there is none. Its packages are looked at first."""
    module: types.ModuleType | None = None
    whole = name.split(".")
    for end in range(1, len(whole) + 1):
        part = ".".join(whole[:end])
        if part not in sys.modules:
            spec = importlib.util.find_spec(part)
            places = (
                [spec.origin]
                if spec and spec.has_location
                else [*(spec.submodule_search_locations or ())]
                if spec
                else []
            )
            if not places or not all(Path(place or "").resolve().is_relative_to(ROOT) for place in places):
                return None
        module = importlib.import_module(part)
        if not any(Path(place).resolve().is_relative_to(ROOT) for place in _places_of(module)):
            return None
    return module


def _places_of(module: types.ModuleType) -> list[str]:
    file = getattr(module, "__file__", None)
    return [file] if file else list(getattr(module, "__path__", ()))


@cache
def _set_up_django() -> None:
    """Sets up Django with the settings that the project's manage.py names, before anything of it is imported."""
    if not DATA["django"] or importlib.util.find_spec("django") is None:
        return
    sys.path.insert(0, str(_inside(DATA["django"]["directory"])))
    os.environ["DJANGO_SETTINGS_MODULE"] = DATA["django"]["settings"]
    try:
        django: Any = importlib.import_module("django")
        django.setup()
    except BaseException as error:
        raise Impossible(f"Django cannot be set up: {_said(error)}") from None


def _enter_application(call: dict[str, Any], around: contextlib.ExitStack) -> None:
    """Enters the context of the Flask application that one of the calls' modules has or makes."""
    flask = sys.modules.get("flask")
    if flask is None:
        return
    for subject in call["above"]:
        names = vars(_module(subject))
        found = [value for value in names.values() if isinstance(value, flask.Flask)]
        makers: list[Any] = [names.get(name) for name in ("create_app", "make_app")]
        found = found or [maker() for maker in makers if isinstance(maker, types.FunctionType)]
        if found:
            around.enter_context(found[0].test_request_context())
            return


def _arguments(function: Any, given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The call's arguments as (positional, named)."""
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
    if inspect.isasyncgen(result):
        result = _consumed(result)
    if inspect.iscoroutine(result):
        # In a thread of its own: whoever runs this test may have an event loop going already.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _awaited(result)).result()
    elif inspect.isgenerator(result):
        for _ in islice(result, _ITEMS):
            pass


async def _consumed(items: Any) -> None:
    left = _ITEMS
    async for _ in items:
        left -= 1
        if not left:
            break


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


def load_tests(loader: Any, standard: Any, pattern: Any) -> unittest.TestSuite:
    """The same tests for `python -m unittest`."""
    tests = (test for name, test in globals().items() if name.startswith("test_"))
    return unittest.TestSuite(map(unittest.FunctionTestCase, tests))


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
