"""An exception as an event tells it: frames, chain, groups, and no foreign code run unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import records
from hostile_records import Disguised, OfMeta, Strange, Trap
from records import CAPTURE, Cart, capture, caught, event_of, fail, raised_by, record

from tocsin.handler.capture.scrub import MARK


def test_frames_tell_path_module_function_and_line() -> None:
    frame = raised_by(lambda: Cart().total("A1", {})).frames[-1]
    line = Cart.total.__code__.co_firstlineno + 1
    where = (frame.path, frame.module, frame.function, frame.line)
    assert where == (records.__file__, "records", "Cart.total", line)


def test_functions_are_named_without_their_locals_part() -> None:
    def outer() -> None:
        def inner() -> None:
            raise KeyError

        inner()

    assert raised_by(outer).frames[-1].function.endswith("part.outer.inner")


def test_a_frame_that_tblib_has_unpickled_is_known_by_its_functions_plain_name() -> None:
    """Its code object is a module's, given the function's name: `CodeType.replace(co_name=...)`."""
    code = compile("raise KeyError", "/srv/shop/orders.py", "exec").replace(co_name="price")
    assert raised_by(lambda: exec(code)).frames[-1].function == "price"


def test_plain_arguments_of_the_innermost_in_app_frame_are_kept() -> None:
    raised = raised_by(lambda: Cart().total("A1", {"B2": 3}))
    assert raised.frames[-1].arguments == {"sku": "A1", "prices": {"B2": 3}, "discount": 0.5}
    assert raised.frames[-2].arguments is None


def test_the_call_of_a_method_with_a_state_is_described() -> None:
    class Shelf:
        def __init__(self) -> None:
            self.places = 0

        def free(self, taken: int) -> float:
            return taken / self.places

    frame = raised_by(lambda: Shelf().free(1)).frames[-1]
    assert frame.arguments == {"taken": 1}
    assert frame.call is not None
    assert frame.call["self"]["$"][2] == {"places": 0}


def test_of_a_lambda_the_call_around_it_is_kept_too() -> None:
    raised = raised_by(lambda: least([{"n": 1}, {}]))
    assert [frame.arguments for frame in raised.frames[-2:]] == [{"items": [{"n": 1}, {}]}, {"item": {}}]


def least(items: list[dict[str, int]]) -> Any:
    return min(items, key=lambda item: item["n"])


@pytest.mark.parametrize(
    "value",
    [object(), (1,), {1: 2}, 2**64, "a\ud800", "x" * 9999, "password=x", float, [object()], {"token": "x"}],
)
def test_arguments_that_cannot_be_replayed_are_not_kept(value: Any) -> None:
    def work(value: Any) -> None:
        raise KeyError

    assert raised_by(lambda: work(value)).frames[-1].arguments is None


def test_a_secret_argument_is_not_kept() -> None:
    def log_in(user: str, password: str) -> None:
        raise KeyError

    frame = raised_by(lambda: log_in("bob", "hunter2")).frames[-1]
    assert frame.arguments is None
    assert frame.locals == {"user": "'bob'", "password": MARK}


def test_only_in_app_frames_show_locals() -> None:
    raised = raised_by(lambda: Cart().total("A1", {}), capture(not_in_app=("records", __name__)))
    assert all(frame.locals is None for frame in raised.frames)


def test_locals_can_be_switched_off() -> None:
    raised = raised_by(lambda: Cart().total("A1", {}), capture("none"))
    assert all(frame.locals is None and frame.arguments is None for frame in raised.frames)


def test_locals_show_plain_data_in_full_and_objects_by_their_attributes(opened: list[str]) -> None:
    def work() -> None:
        trap, disguised, of_meta, items = Trap(), Disguised(), OfMeta(), [1, {"a": None}]
        opened.clear()
        fail(KeyError(str(id((trap, disguised, of_meta, items)))))

    shown = raised_by(work).frames[-2].locals
    assert shown is not None
    assert shown["trap"] == f"<hostile_records.Trap plain=7 password='{MARK}'>"
    assert shown["items"] == "[1, {'a': None}]"
    assert shown["of_meta"] == "<hostile_records.OfMeta>"
    assert shown["disguised"] == "<hostile_records.Disguised>"
    assert opened == []


def test_hidden_frames_and_comprehensions_are_left_out() -> None:
    def hidden() -> None:
        __tracebackhide__ = True
        [fail(KeyError()) for _ in "a"]

    names = [frame.function.rpartition(".")[2] for frame in raised_by(hidden).frames]
    assert names[-2:] == ["<lambda>" if names[-2] == "<lambda>" else names[-2], "fail"]
    assert "hidden" not in names
    assert "<listcomp>" not in names


def test_the_line_of_a_comprehension_is_its_functions() -> None:
    def work() -> None:
        [
            fail(KeyError())  # the failing line
            for _ in "a"
        ]

    assert raised_by(work).frames[-2].line == work.__code__.co_firstlineno + 2


def test_a_cause_is_followed_and_a_context_only_where_there_is_no_cause() -> None:
    def with_cause() -> None:
        try:
            fail(KeyError("a"))
        except KeyError as error:
            raise ValueError("b") from error

    def with_context() -> None:
        try:
            fail(KeyError("a"))
        except KeyError:
            raise ValueError("b")  # noqa: B904

    def suppressed() -> None:
        try:
            fail(KeyError("a"))
        except KeyError:
            raise ValueError("b") from None

    first, second, third = raised_by(with_cause), raised_by(with_context), raised_by(suppressed)
    assert first.cause is not None
    assert second.context is not None
    assert (first.cause.type, first.context) == ("KeyError", None)
    assert (second.context.text, second.cause) == ("'a'", None)
    assert (third.cause, third.context) == (None, None)


def test_an_os_error_names_its_errno() -> None:
    raised = raised_by(lambda: Path("/nowhere/at/all").read_text())
    assert (raised.type, raised.errno) == ("FileNotFoundError", "ENOENT")


def test_a_syntax_error_names_the_broken_file() -> None:
    raised = raised_by(lambda: compile("x = = 1", "/srv/plug/a.py", "exec"))
    assert raised.syntax is not None
    assert (raised.syntax.path, raised.syntax.text) == ("/srv/plug/a.py", "x = = 1")


def test_a_group_keeps_distinct_leaves_of_all_its_groups() -> None:
    leaves = [caught(lambda n=n: fail(KeyError(n))) for n in range(50)]
    other = caught(lambda: fail(OSError(2, "x")))
    raised = raised_by(lambda: fail(ExceptionGroup("many", [*leaves, ExceptionGroup("inner", [other])])))  # type: ignore[type-var]
    keys, inner = raised.group
    assert (keys.type, inner.group[0].type) == ("KeyError", "FileNotFoundError")


def test_a_recursion_error_names_its_cycle() -> None:
    def ping() -> None:
        pong()

    def pong() -> None:
        ping()

    raised = raised_by(ping)
    assert {name.rpartition(".")[2] for _, name in raised.recursive} >= {"ping", "pong"}
    assert raised.omitted > 100
    assert len(raised.frames) == 50


def test_an_exceptions_properties_are_not_called(opened: list[str]) -> None:
    raised = raised_by(lambda: fail(Strange("odd")))
    assert raised.text == "odd"
    assert opened == []


def test_the_arguments_of_an_exception_are_not_asked_for_their_repr(opened: list[str]) -> None:
    trap = Trap()
    opened.clear()
    texts = [
        raised_by(lambda error=error: fail(error)).text
        for error in (ValueError("bad", trap), KeyError(trap), ValueError([trap]), OSError(5, "x", trap))
    ]
    named = "<hostile_records.Trap"
    assert texts[0] == f"('bad', {named}>)"
    assert texts[1] == f"{named} plain=7 password='{MARK}'>"
    assert texts[2] == f"[{named}>]"
    assert texts[3] == "(5, 'x')"
    assert opened == []


def test_the_traceback_of_the_record_serves_where_the_exception_has_none() -> None:
    error = caught(lambda: fail(KeyError()))
    traceback = error.__traceback__
    error.__traceback__ = None
    exception = event_of(record(exc_info=(KeyError, error, traceback))).exception
    assert exception is not None
    assert exception.frames[-1].function == "fail"


def test_an_exception_in_an_exception_gives_its_text() -> None:
    assert raised_by(lambda: fail(RuntimeError(KeyError("a")))).text == "'a'"


SECRET = "postgres://shop:s3cr3tPw@db/x"


@pytest.mark.parametrize("before", [0, 60, 180, 230, 490, 1000, 2030, 4080, 8000])
def test_a_secret_that_some_cut_goes_through_is_nowhere_in_the_event(before: int) -> None:
    text = "a " * (before // 2) + SECRET

    def work(words: str, items: list[str], table: dict[str, Any]) -> None:
        cart = Cart()
        cart.__dict__["dsn"] = words
        raise ValueError(words, items, cart) from KeyError(words)

    error = caught(lambda: work(text, [text, text], {"a": text, "b": [text]}))
    made = record(
        "cannot reach %s", (text,), error, dsn=text, more=[text], fingerprint=[text], stack_info=text
    )
    assert b"s3cr" not in CAPTURE.payload(CAPTURE.summarize(made))
