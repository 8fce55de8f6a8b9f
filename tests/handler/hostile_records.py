"""Log records that hold the worst a program can put into one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, ClassVar

from records import caught, fail, record


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


class Strange(Exception):
    """Every attribute of an exception, as a trap."""

    __cause__ = __context__ = __traceback__ = __suppress_context__ = args = property(  # type: ignore[assignment]
        lambda self: Trap.opened.append("exception")
    )


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
