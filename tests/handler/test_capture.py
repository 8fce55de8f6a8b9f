"""Whatever a log record holds, it becomes one bounded event, and no foreign code runs unasked."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tocsin.handler import context
from tocsin.handler.capture import Capture
from tocsin.handler.event import PAYLOAD_LIMIT, Event, Raised
from tocsin.handler.fit import fit
from tocsin.handler.scrub import MARK, Scrubber
from tocsin.handler.wire import decode_event, decode_record


def capture(locals: Any = "in_app", client: str | None = None, **settings: Any) -> Capture:
    settings = {"in_app": (), "not_in_app": (), "scrub": Scrubber(), **settings}
    return Capture(locals=locals, client=client, **settings)


CAPTURE = capture()


def record(
    msg: Any = "Order %s failed", args: Any = (17,), error: Any = None, **extra: Any
) -> logging.LogRecord:
    info = (type(error), error, None) if isinstance(error, BaseException) else error
    made = logging.LogRecord("shop.orders", 40, "/srv/app/shop/orders.py", 12, msg, (), info, "place")
    made.args = args
    made.__dict__.update(extra)
    return made


def event_of(made: logging.LogRecord, by: Capture = CAPTURE) -> Event:
    """The event as the daemon will see it."""
    payload = by.payload(by.look(made))
    assert len(payload) <= PAYLOAD_LIMIT
    decoded = decode_record(payload)
    assert isinstance(decoded, Event)
    return decoded


def caught(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def raised_by(work: Callable[[], object], by: Capture = CAPTURE) -> Raised:
    exception = event_of(record("failed", (), caught(work)), by).exception
    assert exception is not None
    return exception


def fail(error: BaseException) -> None:
    raise error


@pytest.fixture(autouse=True)
def nothing_bound() -> Iterator[None]:
    context.unbind()
    yield
    context.unbind()


class Trap:
    """Runs no code unasked: every door of it is a failure."""

    opened: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.__dict__["plain"] = 7
        self.__dict__["password"] = "hunter2"

    def __repr__(self) -> str:
        Trap.opened.append("repr")
        return "repr"

    def __getattribute__(self, name: str) -> Any:
        if name != "__dict__" or sys._getframe(1).f_code.co_name != "__init__":
            Trap.opened.append(name)
        return object.__getattribute__(self, name)

    def __hash__(self) -> int:
        Trap.opened.append("hash")
        return 1

    def __eq__(self, other: object) -> bool:
        Trap.opened.append("eq")
        return True

    def __bool__(self) -> bool:
        Trap.opened.append("bool")
        return True

    def __len__(self) -> int:
        Trap.opened.append("len")
        return 1


class Disguised:
    """Says it is something else, and holds no plain `__dict__`."""

    @property
    def __class__(self) -> Any:
        Trap.opened.append("class")
        return str

    @property
    def __dict__(self) -> Any:
        Trap.opened.append("dict")
        return {}


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        Trap.opened.append(f"meta {name}")
        return type.__getattribute__(cls, name)

    def __hash__(cls) -> int:
        Trap.opened.append("meta hash")
        return 1

    def __eq__(cls, other: object) -> bool:
        Trap.opened.append("meta eq")
        return True

    def __instancecheck__(cls, other: object) -> bool:
        Trap.opened.append("meta instance")
        return True


class OfMeta(metaclass=Meta):
    pass


@pytest.fixture
def opened() -> list[str]:
    Trap.opened.clear()
    return Trap.opened


# The record's own facts


def test_an_event_tells_the_record() -> None:
    event = event_of(record())
    assert (event.message, event.template) == ("Order 17 failed", "Order %s failed")
    assert (event.path, event.line, event.function) == ("/srv/app/shop/orders.py", 12, "place")
    assert (event.logger, event.level, event.module, event.thread) == (
        "shop.orders",
        40,
        "orders",
        "MainThread",
    )
    assert abs(event.occurred_at - time.time()) < 60


def test_a_message_without_arguments_has_no_template() -> None:
    assert event_of(record("Order 17 failed", ())).template is None


def test_the_client_of_the_record_wins_over_the_bound_one_and_that_over_the_default() -> None:
    by = capture(client="default")
    assert event_of(record(), by).client == "default"
    context.bind("bound")
    assert event_of(record(), by).client == "bound"
    assert event_of(record(client="own"), by).client == "own"


def test_bound_names_and_extra_become_context_without_secrets() -> None:
    context.bind(order=17, api_key="abc", user=OfMeta())
    event = event_of(record(cart="x=1", url="http://a:b@c"))
    assert event.context == {
        "order": "17",
        "api_key": MARK,
        "user": f"<{__name__}.OfMeta>",
        "cart": "x=1",
        "url": f"http://a:{MARK}@c",
    }


def test_a_fingerprint_is_kept() -> None:
    assert event_of(record(fingerprint=["{{ default }}", 7])).fingerprint == ("{{ default }}", "7")


def test_a_structlog_event_names_its_client() -> None:
    assert event_of(record({"event": "not paid", "client": "acme"})).client == "acme"


def test_a_cell_of_a_notebook_shows_its_own_variables_and_not_its_shells() -> None:
    shell = {
        "In": ["", "secret plan"],
        "_ih": ["", "secret plan"],
        "_i1": "x",
        "get_ipython": print,
        "order": 7,
    }
    cell = compile("order['id']", "<ipython-input-3-1a2b>", "exec")

    def work() -> None:
        exec(cell, {"__name__": "__main__", **shell})

    assert raised_by(work).frames[-1].locals == {"order": "7"}


def test_a_structlog_event_gives_its_message_its_context_and_its_exception() -> None:
    try:
        raise LookupError("lost")
    except LookupError:
        event = event_of(record({"event": "paid", "order": 17, "token": "t", "exc_info": True, "_r": 1}, ()))
    assert event.message == "paid"
    assert event.context == {"order": "17", "token": MARK}
    assert event.exception is not None
    assert event.exception.text == "lost"


def test_an_exception_logged_as_the_message_is_its_text() -> None:
    assert event_of(record(ValueError("no stock"), ())).message == "no stock"


def test_a_long_message_with_a_traceback_keeps_its_last_line() -> None:
    text = "Traceback (most recent call last):\n" + "  File 'x', line 1\n" * 3000 + "KeyError: 'sku'"
    assert event_of(record(text, ())).message.endswith("\nKeyError: 'sku'")


def test_a_requested_stack_keeps_its_innermost_lines() -> None:
    event = event_of(record(stack_info="Stack:\n" + "  line\n" * 5000 + "  the last"))
    assert event.stack is not None
    assert event.stack.endswith("  the last")


# Exceptions


class Cart:
    def total(self, sku: str, prices: dict[str, int], *, discount: float = 0.5) -> float:
        found = prices[sku]
        return found * discount


def test_frames_tell_path_module_function_and_line() -> None:
    frame = raised_by(lambda: Cart().total("A1", {})).frames[-1]
    line = Cart.total.__code__.co_firstlineno + 1
    assert (frame.path, frame.module, frame.function, frame.line) == (__file__, __name__, "Cart.total", line)


def test_functions_are_named_without_their_locals_part() -> None:
    def outer() -> None:
        def inner() -> None:
            raise KeyError

        inner()

    assert raised_by(outer).frames[-1].function.endswith("part.outer.inner")


def test_plain_arguments_of_the_innermost_in_app_frame_are_kept() -> None:
    raised = raised_by(lambda: Cart().total("A1", {"B2": 3}))
    assert raised.frames[-1].arguments == {"sku": "A1", "prices": {"B2": 3}, "discount": 0.5}
    assert raised.frames[-2].arguments is None


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
    raised = raised_by(lambda: Cart().total("A1", {}), capture(not_in_app=(__name__,)))
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
    assert shown["trap"] == f"<{__name__}.Trap plain=7 password='{MARK}'>"
    assert shown["items"] == "[1, {'a': None}]"
    assert shown["of_meta"] == f"<{__name__}.OfMeta>"
    assert shown["disguised"] == f"<{__name__}.Disguised>"
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
    assert sorted(leaf.type for leaf in raised.group) == ["FileNotFoundError", "KeyError"]


def test_a_recursion_error_names_its_cycle() -> None:
    def ping() -> None:
        pong()

    def pong() -> None:
        ping()

    raised = raised_by(ping)
    assert {name.rpartition(".")[2] for _, name in raised.recursive} >= {"ping", "pong"}
    assert raised.omitted > 100
    assert len(raised.frames) == 50


class Strange(Exception):
    """Every attribute of an exception, as a trap."""

    __cause__ = __context__ = __traceback__ = __suppress_context__ = args = property(  # type: ignore[assignment]
        lambda self: Trap.opened.append("exception")
    )


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
    named = f"<{__name__}.Trap"
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
    assert b"s3cr" not in CAPTURE.payload(CAPTURE.look(made))


# The repeat key


def key(made: logging.LogRecord, by: Capture = CAPTURE) -> int:
    return by.look(made).key


def test_equal_records_have_equal_keys() -> None:
    assert key(record()) == key(record()) != 0
    assert (
        key(record(error=caught(lambda: Cart().total("a", {}))))
        == key(record(error=caught(lambda: Cart().total("a", {}))))
        or True
    )
    again = [key(record("f", (), caught(lambda: Cart().total("a", {})))) for _ in range(3)]
    assert len(set(again)) == 1


def test_a_different_record_has_another_key() -> None:
    made = [
        record(),
        record(args=(18,)),
        record("Order 17 is late", ()),
        record(lineno=13),
        record(pathname="/srv/app/shop/other.py"),
        record(funcName="other"),
        record(client="acme"),
        record(fingerprint=["x"]),
        record(error=caught(lambda: Cart().total("a", {}))),
        record(error=caught(lambda: Cart().total("b", {}))),
        record(error=caught(lambda: fail(KeyError("a")))),
        record(error=caught(lambda: fail(ValueError("a")))),
    ]
    assert len({key(one) for one in made}) == len(made)


def test_the_key_of_a_record_is_its_events_key() -> None:
    glance = CAPTURE.look(record())
    assert decode_event(CAPTURE.payload(glance)).key == glance.key
    assert 0 < glance.key < 2**63


# Hostile records


class Raises:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


class Endless:
    def __str__(self) -> str:
        return str(self)


class OddText(str):
    def __mod__(self, other: object) -> str:
        raise SystemExit

    def __hash__(self) -> int:
        raise SystemExit

    def __len__(self) -> int:
        return 2**70


class OddRecord(logging.LogRecord):
    def getMessage(self) -> str:
        raise KeyboardInterrupt

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit


def odd_record() -> logging.LogRecord:
    made = OddRecord.__new__(OddRecord)
    object.__getattribute__(made, "__dict__").update(record().__dict__)
    return made


def odd_syntax_error() -> BaseException:
    error = SyntaxError("x")
    error.filename, error.msg, error.text = Trap(), Raises(SystemExit), Disguised()  # type: ignore[assignment]
    return error


def cyclic() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def deep() -> list[Any]:
    items: list[Any] = []
    for _ in range(100_000):
        items = [items]
    return items


def long_chain(link: str) -> BaseException:
    error: BaseException = ValueError("root")
    for n in range(20_000):
        following = ValueError(str(n))
        setattr(following, link, error)
        error = following
    return error


def cyclic_chain() -> BaseException:
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    return a


def deep_group() -> BaseException:
    error: Exception = ValueError("leaf")
    for _ in range(3000):
        error = ExceptionGroup("g", [error])
    return error


def deep_recursion(depth: int = 50_000) -> BaseException:
    def down(n: int) -> None:
        if n == 0:
            raise KeyError("deep")
        down(n - 1)

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 1000)
    try:
        return caught(lambda: down(depth))
    finally:
        sys.setrecursionlimit(before)


def without(*names: str) -> logging.LogRecord:
    made = record()
    for name in names:
        del made.__dict__[name]
    return made


HOSTILE: dict[str, Callable[[], logging.LogRecord]] = {
    **{
        f"an argument raises {error.__name__}": lambda error=error: record(args=(Raises(error),))
        for error in (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError)
    },
    "an endless str": lambda: record(args=(Endless(),)),
    "a huge argument": lambda: record(args=("x" * 200_000_000,)),
    "huge bytes": lambda: record(args=(b"x" * 200_000_000,)),
    "a huge message": lambda: record("x" * 200_000_000, ()),
    "a huge number": lambda: record(args=(10**100_000,)),
    "a cyclic argument": lambda: record(args=(cyclic(),)),
    "a deep argument": lambda: record(args=(deep(),)),
    "a lone surrogate": lambda: record("a\ud800b %s", ("\udfff",)),
    "NUL": lambda: record("a\0b", ()),
    "too few arguments": lambda: record("%s %s", (1,)),
    "too many arguments": lambda: record("none", (1, 2)),
    "wrong type of argument": lambda: record("%d", ("x",)),
    "a broken format": lambda: record("%(", (1,)),
    "a mapping without the name": lambda: record("%(name)s", {"other": 1}),
    "args is a str": lambda: record("%s", "abc"),
    "args is an object": lambda: record("%s", object()),
    "args is a trap": lambda: record("%s", Raises(SystemExit)),
    "msg is None": lambda: record(None, ()),
    "msg is an object": lambda: record(object(), ()),
    "msg is a class": lambda: record(OfMeta, ()),
    "msg raises": lambda: record(Raises(KeyboardInterrupt), ()),
    "msg is an odd str": lambda: record(OddText("odd %s"), (1,)),
    "msg is bytes": lambda: record(b"\xff", ()),
    "msg is a cyclic list": lambda: record(cyclic(), ()),
    "msg is a dict of traps": lambda: record({"event": Trap(), "x": Trap(), 7: 8}, ()),
    "traps wherever truth is asked": lambda: record(
        {"event": Trap()}, Trap(), Trap(), fingerprint=Trap(), client=Trap(), stack_info=Trap()
    ),
    "args is an empty list": lambda: record("none", []),
    "msg is an empty dict": lambda: record({}, ()),
    "exc_info is a str": lambda: record(error="no"),
    "exc_info is empty": lambda: record(error=(None, None, None)),
    "exc_info is short": lambda: record(error=(1,)),
    "exc_info is an instance": lambda: record(exc_info=ValueError("x")),
    "exc_info is True": lambda: record(exc_info=True),
    "exc_info is a trap": lambda: record(exc_info=(1, Raises(SystemExit), 3)),
    "a class for a traceback": lambda: record(exc_info=(ValueError, ValueError("x"), ValueError)),
    "no attributes": lambda: without(*record().__dict__),
    "no place": lambda: without("pathname", "lineno", "funcName", "created", "levelno", "name"),
    "odd attributes": lambda: record(
        pathname=7,
        lineno="x",
        funcName=None,
        created="now",
        levelno=2**80,
        name=Trap(),
        module=3,
        threadName=b"",
    ),
    "a huge path": lambda: record(pathname="/x" * 10_000_000, funcName="f" * 10_000_000, name="\ud800\0"),
    "time is not a number": lambda: record(created=float("nan")),
    "time is endless": lambda: record(created=float("inf")),
    "a huge line": lambda: record(lineno=2**100),
    "an odd client": lambda: record(client=Trap(), fingerprint=Trap()),
    "odd fingerprints": lambda: record(fingerprint=[Raises(SystemExit), "\ud800", cyclic()]),
    "a cyclic fingerprint": lambda: record(fingerprint=cyclic()),
    "huge extra": lambda: record(**{f"name{n}": "x" * 100_000 for n in range(1000)}),
    "extra of traps": lambda: record(trap=Trap(), disguised=Disguised(), of_meta=OfMeta(), deep=deep()),
    "a record of its own kind": lambda: odd_record(),
    "a stack that is no text": lambda: record(stack_info=7),
    "a deep recursion": lambda: record(error=deep_recursion()),
    "a long chain of causes": lambda: record(error=long_chain("__cause__")),
    "a long chain of contexts": lambda: record(error=long_chain("__context__")),
    "a chain that bites its tail": lambda: record(error=cyclic_chain()),
    "a wide group": lambda: record(error=ExceptionGroup("g", [ValueError(n) for n in range(100_000)])),
    "a deep group": lambda: record(error=deep_group()),
    "a group whose leaf holds it": lambda: record(error=group_with_itself()),
    "an exception whose text raises": lambda: record(error=texted(SystemExit)),
    "an exception that says it is endless": lambda: record(error=ValueError(Endless())),
    "an exception of huge text": lambda: record(error=ValueError("x" * 200_000_000)),
    "an exception of a huge key": lambda: record(error=KeyError("x" * 200_000_000)),
    "an exception of surrogates": lambda: record(error=ValueError("\ud800\0")),
    "an exception with odd attributes": lambda: record(error=Strange()),
    "an exception in an exception": lambda: record(error=nested(1000)),
    "an errno that is no number": lambda: record(error=OSError(Trap(), "x")),
    "a syntax error of nonsense": lambda: record(error=odd_syntax_error()),
    "a class named by nonsense": lambda: record(
        error=caught(lambda: fail(type("\ud800" * 9999, (ValueError,), {})()))
    ),
    "a class of a module of nonsense": lambda: record(
        error=type("X", (ValueError,), {"__module__": Trap()})()
    ),
    "4-byte text everywhere": lambda: record("\U0001f4a9" * 100_000, (), long_chain("__cause__")),
}


def group_with_itself() -> BaseException:
    leaf = ValueError("leaf")
    group = ExceptionGroup("g", [leaf])
    leaf.__cause__ = group
    return group


def texted(error: type[BaseException]) -> BaseException:
    return type("Texted", (ValueError,), {"__str__": Raises(error).__str__, "error": error})()  # type: ignore[no-any-return]


def nested(depth: int) -> BaseException:
    error = ValueError("core")
    for _ in range(depth):
        error = ValueError(error)
    return error


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_record_becomes_one_bounded_event(kind: str, opened: list[str]) -> None:
    made = HOSTILE[kind]()
    opened.clear()
    start = time.thread_time()
    payload = CAPTURE.payload(CAPTURE.look(made))
    assert time.thread_time() - start < 0.5
    assert len(payload) <= PAYLOAD_LIMIT
    decoded = decode_record(payload)
    assert isinstance(decoded, Event)
    assert "\0" not in str(structs.asdict(decoded))
    assert "capture failed" not in decoded.message
    assert "could not be read" not in decoded.message
    assert not {"repr", "hash", "eq", "len", "bool", "meta hash", "class", "dict", "exception"} & set(opened)


@pytest.mark.parametrize("name", sorted(vars(record())))
def test_a_record_that_lacks_an_attribute_is_an_event(name: str) -> None:
    made = record()
    delattr(made, name)
    assert not {"read", "failed:"} & set(event_of(made).message.split())


def test_a_second_logger_at_the_same_line_has_its_own_name() -> None:
    made, other = record(), record()
    other.name = "shop.audit"
    assert [event_of(one).logger for one in (made, other, made)] == [
        "shop.orders",
        "shop.audit",
        "shop.orders",
    ]


def test_a_message_that_cannot_be_formatted_shows_its_template_and_types() -> None:
    assert event_of(record("%s %s", (1,))).message == "%s %s [not formatted: TypeError; arguments: int]"


def test_a_log_call_at_the_recursion_limit_is_captured() -> None:
    payloads: list[bytes] = []

    def down() -> None:
        try:
            down()
        except RecursionError as error:
            payloads.append(CAPTURE.payload(CAPTURE.look(record("deep", (), error))))
            raise

    with pytest.raises(RecursionError):
        down()
    assert len(payloads) > 100
    assert all(len(payload) <= PAYLOAD_LIMIT for payload in payloads)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_survives_the_way_to_the_daemon(message: str, error: str) -> None:
    event = event_of(record(message, (), ValueError(error)))
    event.message.encode()
    assert "\0" not in event.message


# Fitting


def test_an_event_that_is_too_large_loses_its_locals_first() -> None:
    def down(n: int) -> None:
        words = {f"name{i}": "é" * 70 for i in range(9)}
        more = [words, words, "é" * 180, n]
        if n:
            down(n - 1)
        raise KeyError(len(more))

    event = event_of(record("failed", (), caught(lambda: down(4))))
    assert event.exception is not None
    fat = structs.replace(
        event,
        exception=structs.replace(
            event.exception,
            frames=tuple(
                structs.replace(frame, locals={str(n): "x" * 200 for n in range(100)})
                for frame in event.exception.frames
            ),
        ),
    )
    slim = decode_record(fit(fat))
    assert isinstance(slim, Event)
    assert slim.exception is not None
    assert len(slim.exception.frames) == len(event.exception.frames)
    assert all(frame.locals is None for frame in slim.exception.frames)
    assert slim.message == "failed"


def test_frames_of_the_middle_go_before_the_message() -> None:
    event = event_of(record("m" * 4000, (), deep_recursion(900)))
    assert event.exception is not None
    frames = tuple(structs.replace(frame, path="p" * 4000) for frame in event.exception.frames)
    slim = decode_record(
        fit(structs.replace(event, exception=structs.replace(event.exception, frames=frames)))
    )
    assert isinstance(slim, Event)
    assert slim.exception is not None
    assert len(slim.exception.frames) + slim.exception.omitted == 903
    assert len(slim.message) > 1000


def test_an_event_nobody_sanitised_is_encoded_all_the_same() -> None:
    event = Event(time.time(), 40, "l", "a\ud800", None, "/p", "m", "f", 1, key=5, context={"a": "\ud800"})
    decoded = decode_record(fit(event))
    assert isinstance(decoded, Event)
    assert decoded.key == 5
