"""Values of every class are shown by their plain data; no method of an application's class runs."""

from __future__ import annotations

import collections
import enum
import sys
from typing import Any, NamedTuple

import pytest
from hostile_records import Trap
from records import caught, event_of, fail, record

from tocsin.daemon.grouping.sign import sign
from tocsin.handler.capture.scrub import MARK
from tocsin.handler.capture.values import render


class Loud:
    """Every method that a container or a number could be asked by runs into a trap."""

    def trap(self, *_: object) -> Any:
        Trap.opened.append(sys._getframe().f_code.co_name)
        raise ArithmeticError

    __iter__ = __len__ = __repr__ = __str__ = __getitem__ = __bool__ = __contains__ = trap
    __hash__ = __index__ = __int__ = __float__ = __bytes__ = items = keys = values = trap


class LoudDict(Loud, dict[Any, Any]): ...


class LoudList(Loud, list[Any]): ...


class LoudTuple(Loud, tuple[Any, ...]): ...


class LoudSet(Loud, set[Any]): ...


class LoudDeque(Loud, collections.deque[Any]): ...


class LoudText(Loud, str): ...


class LoudNumber(Loud, int): ...


class LoudFloat(Loud, float): ...


class LoudBytes(Loud, bytes): ...


class LoudError(Loud, ValueError): ...


class Slots:
    __slots__ = ("amount", "never_set", "password")

    def __init__(self) -> None:
        self.amount, self.password = 7, "hunter2"


class SlotsAndMore(Slots):
    def __init__(self) -> None:
        super().__init__()
        self.note = "late"


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.IntEnum):
    RED = 3


HERE = f"{__name__}."
SHOWN = [
    (LoudDict(a=1), "LoudDict({'a': 1})"),
    (LoudList([1, [2]]), "LoudList([1, [2]])"),
    (LoudTuple((1,)), "LoudTuple((1,))"),
    (LoudSet({1}), "LoudSet({1})"),
    (LoudDeque([1, 2]), "LoudDeque(deque([1, 2]))"),
    (LoudText("a"), "LoudText('a')"),
    (LoudNumber(5), "LoudNumber(5)"),
    (LoudFloat(0.5), "LoudFloat(0.5)"),
    (LoudBytes(b"a"), "LoudBytes(b'a')"),
    (LoudError("no stock", 7), "LoudError('no stock', 7)"),
    (Slots(), "<Slots amount=7 password='hunter2'>"),
    (SlotsAndMore(), "<SlotsAndMore note='late' amount=7 password='hunter2'>"),
    (Point(1, 2), "Point(x=1, y=2)"),
    (Colour.RED, "Colour(3)"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[type(value).__name__ for value, _ in SHOWN])
def test_a_value_is_shown_by_its_data_and_not_by_its_methods(
    value: object, shown: str, opened: list[str]
) -> None:
    assert render(value).replace(HERE, "") == shown
    assert opened == []


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=[type(value).__name__ for value, _ in SHOWN])
def test_in_a_container_it_runs_no_code_either(value: object, shown: str, opened: list[str]) -> None:
    assert render([value, {"key": value}]).startswith("[")
    assert opened == []


def test_builtin_containers_are_shown_too() -> None:
    assert render(collections.deque([1], maxlen=3)) == "deque([1])"
    assert render(collections.OrderedDict(a=1)) == "collections.OrderedDict({'a': 1})"
    assert render(collections.Counter("aab")) == "collections.Counter({'a': 2, 'b': 1})"


def test_a_secret_under_a_name_is_scrubbed_in_every_one() -> None:
    class Login(NamedTuple):
        user: str
        password: str

    given = {"login": Login("bob", "hunter2"), "slots": Slots(), "form": LoudDict(password="hunter2")}
    assert "hunter2" not in str(event_of(record(**given)).context)


@pytest.mark.parametrize("name", ["event", "_x", "order", 7, ("a", 1), None])
def test_extra_under_any_name_is_kept(name: Any) -> None:
    made = record()
    made.__dict__[name] = "shown"
    assert list((event_of(made).context or {}).items()) == [
        (name if type(name) is str else repr(name), "shown")
    ]


def test_a_client_that_is_no_name_is_shown_as_what_it_is() -> None:
    event = event_of(record(client={"id": 7}))
    assert (event.client, event.context) == (None, {"client": "{'id': 7}"})


def test_what_structlog_hands_over_for_itself_is_not_shown() -> None:
    assert event_of(record(_logger="x", _name="y")).context is None


def test_an_exception_among_the_arguments_is_told_by_type_and_text() -> None:
    event = event_of(record("order %s failed: %s", (17, ConnectionError("no route"))))
    assert event.message == "order 17 failed: no route"
    assert event.context == {"argument 2": "ConnectionError: no route"}


def test_an_exception_among_named_arguments_is_told_too() -> None:
    event = event_of(record("failed: %(why)s", {"why": KeyError("sku")}, order=7))
    assert event.context == {"order": "7", "argument why": "KeyError: 'sku'"}


def test_a_secret_in_an_arguments_text_is_scrubbed() -> None:
    event = event_of(record("failed: %s", (ValueError("password=hunter2"),)))
    assert event.context == {"argument 1": f"ValueError: password={MARK}"}


@pytest.mark.parametrize(
    ("kind", "error", "shown"),
    [
        (KeyError, None, ("KeyError", "")),
        (KeyError, "sku", ("KeyError", "sku")),
        (None, None, ("Traceback", "")),
        ("KeyError", None, ("Traceback", "")),
    ],
)
def test_a_traceback_apart_from_its_exception_is_kept(kind: Any, error: Any, shown: tuple[str, str]) -> None:
    traceback = caught(lambda: fail(KeyError())).__traceback__
    exception = event_of(record(exc_info=(kind, error, traceback))).exception
    assert exception is not None
    assert (exception.type, exception.text) == shown
    assert exception.frames[-1].function == "fail"


def test_the_records_traceback_is_that_of_its_moment() -> None:
    error = caught(lambda: fail(KeyError()))
    then = error.__traceback__
    again = caught(lambda: fail(error))
    exception = event_of(record(exc_info=(KeyError, again, then))).exception
    assert exception is not None
    assert [frame.function.rpartition(".")[2] for frame in exception.frames].count("fail") == 1


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ({"code": 7, "reason": "card refused"}, "orders.place: {code, reason}"),
        (["card", "refused"], "orders.place: […]"),
        ({7: "card refused"}, "orders.place: *"),
        (7, "orders.place: *"),
    ],
)
def test_the_title_of_data_names_its_keys_and_none_of_its_values(message: Any, title: str) -> None:
    assert sign(event_of(record(message, ())), {}).title == title


def test_the_key_of_an_argument_runs_nothing():
    class Key:
        def __format__(self, how: str) -> str:
            raise SystemExit("asked")

        __repr__ = __str__ = __format__  # type: ignore[assignment]

    event = event_of(record("failed", {Key(): ConnectionError("no route")}))
    assert "no route" in str(event.context)


def nested(levels: int, wide: int) -> Exception:
    error = Exception("innermost")
    for _ in range(levels):
        error = Exception(*(error for _ in range(wide)))
    return error


def test_exceptions_that_hold_each_other_are_named_only():
    assert render(nested(2, 3)) == "Exception(<Exception>, <Exception>, <Exception>)"


def test_a_tree_of_exceptions_costs_no_more_than_its_first_level():
    counted = 0

    def trace(frame: Any, what: str, _: Any) -> Any:
        nonlocal counted
        counted += what == "call"
        return None

    sys.setprofile(trace)
    try:
        render(nested(8, 10))
    finally:
        sys.setprofile(None)
    assert counted < 500


@pytest.mark.parametrize("levels", [400, 2000])
def test_a_long_chain_of_arguments_leaves_the_event_readable(levels):
    error: Exception = Exception("innermost")
    for _ in range(levels):
        error = Exception("retry", error)
    event = event_of(record("failed", (), error))
    assert event.message == "failed"
    assert event.exception is not None
    assert event.exception.text == "('retry', Exception('retry', <Exception>))"


def test_an_exception_that_holds_itself_leaves_the_event_readable():
    error = Exception("round")
    error.args = (error, 1)
    event = event_of(record("failed", (), error))
    assert event.message == "failed"
    assert event.exception is not None
