"""What `bind` says holds where it was said, and nowhere else."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tocsin.handler.context import bind, current, unbind


@pytest.fixture(autouse=True)
def nothing_bound() -> Iterator[None]:
    unbind()
    yield
    unbind()


def test_nothing_is_bound_at_first() -> None:
    assert current() == (None, {})


def test_a_call_binds_until_it_is_unbound() -> None:
    bind(client="acme", order=17)
    assert current() == ("acme", {"order": 17})
    unbind("order")
    assert current() == ("acme", {})
    unbind("client")
    assert current() == (None, {})


def test_binding_adds_to_what_is_bound() -> None:
    bind(client="acme", order=17)
    bind(step="pay")
    assert current() == ("acme", {"order": 17, "step": "pay"})


def test_a_with_block_restores_what_was_bound_before() -> None:
    bind("acme", order=17)
    with bind("beta", order=18):
        assert current() == ("beta", {"order": 18})
    assert current() == ("acme", {"order": 17})


def test_an_exception_leaves_a_with_block_restored() -> None:
    with pytest.raises(ValueError), bind("beta"):
        raise ValueError
    assert current() == (None, {})


def test_leaving_twice_is_harmless() -> None:
    binding = bind("beta")
    binding.restore()
    binding.restore()
    assert current() == (None, {})


def test_a_thread_starts_with_nothing_bound() -> None:
    bind("acme")
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.append(current()[0]))
    thread.start()
    thread.join()
    assert seen == [None]


def test_asyncio_tasks_do_not_see_each_others() -> None:
    async def work(client: str) -> str | None:
        bind(client)
        await asyncio.sleep(0)
        return current()[0]

    async def both() -> list[str | None]:
        return await asyncio.gather(work("acme"), work("beta"))

    assert asyncio.run(both()) == ["acme", "beta"]
    assert current() == (None, {})


def test_what_is_bound_cannot_be_changed_from_outside() -> None:
    bind(order=17)
    with pytest.raises(TypeError):
        current()[1]["order"] = 18  # type: ignore[index]
