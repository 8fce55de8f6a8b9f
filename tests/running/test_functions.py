"""Functions found by module and qualified name, whatever was put around them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from support.watching import Imported, Watching

SHOP = """
import contextlib, functools

def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

def bare(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

REGISTRY = {}

def registered(function):
    REGISTRY[0] = function
    def wrapper():
        return REGISTRY[0]()
    return functools.update_wrapper(wrapper, function)

class Made:
    "A decorator that makes an object, as task libraries do."
    def __init__(self, function):
        self.run = function
    def __call__(self):
        return self.run()
    def __getattr__(self, name):
        raise SystemExit(name)

def plain(): ...
@logged
@logged
def decorated(): ...
@bare
def hidden(): ...
@registered
def kept(): ...
@Made
def task(): ...
@contextlib.contextmanager
def managed():
    yield
def outer():
    def inner(): ...
    return inner
class Order:
    class Line:
        def price(self): ...
    def pay(self): ...
    @classmethod
    def load(cls): ...
    @staticmethod
    def check(): ...
    @property
    def total(self): ...
    @functools.cached_property
    def tax(self): ...
    @logged
    def send(self): ...
async def fetch(): ...
def numbers():
    yield 1
async def rows():
    yield 1
pay_later = functools.partial(plain)
renamed = lambda: None
async def drain():
    async for _ in rows(): ...
class Refund:
    def cancel(self): ...
"""

Call = Callable[[ModuleType], Any]
CALLS: list[tuple[str, Call]] = [
    ("plain", lambda shop: shop.plain()),
    ("decorated", lambda shop: shop.decorated()),
    ("hidden", lambda shop: shop.hidden()),
    ("kept", lambda shop: shop.kept()),
    ("task", lambda shop: shop.task()),
    ("managed", lambda shop: shop.managed().__enter__()),
    ("outer.inner", lambda shop: shop.outer()()),
    ("Order.pay", lambda shop: shop.Order().pay()),
    ("Order.Line.price", lambda shop: shop.Order.Line().price()),
    ("Order.load", lambda shop: shop.Order.load()),
    ("Order.check", lambda shop: shop.Order.check()),
    ("Order.total", lambda shop: shop.Order().total),
    ("Order.tax", lambda shop: shop.Order().tax),
    ("Order.send", lambda shop: shop.Order().send()),
    ("fetch", lambda shop: asyncio.run(shop.fetch())),
    ("numbers", lambda shop: list(shop.numbers())),
    ("rows", lambda shop: asyncio.run(shop.drain())),
    ("<lambda>", lambda shop: shop.renamed()),
    ("*.cancel", lambda shop: shop.Refund().cancel()),
]


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[name for name, _ in CALLS])
def test_a_function_is_counted_whatever_was_put_around_it(
    imported: Imported, watching: Watching, name: str, call: Call
) -> None:
    shop = imported(SHOP)
    counts = watching(name)
    call(shop)
    call(shop)
    assert [(one.begun, one.unknown) for one in counts.told()] == [(2, "")]


def test_no_attribute_of_a_foreign_object_is_asked_for(imported: Imported, watching: Watching) -> None:
    imported(
        """
        class Proxy:
            def __getattribute__(self, name):
                raise SystemExit(name)
        place = Proxy()
        """
    )
    assert watching("place").told()[0].unknown == "no_function"


def test_a_module_that_is_not_imported_is_looked_for_until_it_is(
    imported: Imported, watching: Watching
) -> None:
    counts = watching("plain")
    assert counts.told()[0].unknown == "not_loaded"
    shop = imported(SHOP)
    counts.check(0.0)
    shop.plain()
    assert (counts.told()[0].begun, counts.told()[0].unknown) == (1, "")


def test_a_name_that_two_functions_of_the_module_have_is_nobodys(
    imported: Imported, watching: Watching
) -> None:
    imported("class A:\n    def pay(self): ...\nclass B:\n    def pay(self): ...\n")
    assert watching("*.pay").told()[0].unknown == "no_function"


def test_a_module_that_gets_another_name_counts_each_run_once(imported: Imported, watching: Watching) -> None:
    shop = imported(SHOP)
    counts = watching("plain")
    shop.later = 1
    counts.check(0.0)
    shop.plain()
    assert counts.told()[0].begun == 1


def test_a_function_is_found_again_after_its_module_was_reloaded(
    imported: Imported, watching: Watching
) -> None:
    shop = imported(SHOP)
    counts = watching("plain")
    old = shop.plain
    old()
    shop = importlib.reload(shop)
    counts.check(0.0)
    shop.plain()
    old()  # Somebody still holds it.
    assert counts.told()[0].begun == 3
