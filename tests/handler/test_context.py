"""What `bind` says holds where it was said, and nowhere else."""

import asyncio
import copy
import pickle
import threading
from collections.abc import Iterator

import pytest

from tocsin.handler.capture.context import bind, bind_only, current, unbind


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
    async def work(client: str, both_bound: asyncio.Barrier) -> str | None:
        bind(client)
        await both_bound.wait()
        return current()[0]

    async def both() -> list[str | None]:
        both_bound = asyncio.Barrier(2)
        return await asyncio.gather(work("acme", both_bound), work("beta", both_bound))

    assert asyncio.run(both()) == ["acme", "beta"]
    assert current() == (None, {})


def test_what_is_bound_cannot_be_changed_from_outside() -> None:
    bind(order=17)
    with pytest.raises(TypeError):
        current()[1]["order"] = 18  # type: ignore[index]


def test_who_logs_an_exception_further_out_sees_what_was_bound_where_it_was_raised() -> None:
    try:
        with bind("acme", order=17), bind(step="pay"):
            raise ValueError
    except ValueError:
        assert current() == ("acme", {"order": 17, "step": "pay"})
    assert current() == (None, {})


def test_so_does_who_logs_an_exception_raised_from_it() -> None:
    try:
        try:
            with bind("acme"):
                raise ValueError
        except ValueError as error:
            raise KeyError from error
    except KeyError:
        assert current()[0] == "acme"


def test_what_is_bound_while_an_exception_is_handled_counts_more_than_what_it_left() -> None:
    try:
        with bind("acme"):
            raise ValueError
    except ValueError:
        with bind("beta"):
            assert current()[0] == "beta"
        assert current()[0] == "acme"


def test_an_exception_raised_for_two_clients_belongs_to_neither() -> None:
    error = ValueError()
    for client in ("acme", "beta"):
        with pytest.raises(ValueError), bind(client):
            raise error
    try:
        raise error
    except ValueError:
        assert current()[0] is None


def test_an_exception_that_took_something_along_can_be_pickled_and_copied() -> None:
    try:
        with bind("acme", lock=threading.Lock()):
            raise ValueError("text")
    except ValueError as error:
        for other in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
            assert other.args == ("text",)
            assert "tocsin" not in repr(pickle.dumps(other)).replace("_tocsin_left", "")


def test_a_request_begins_with_nothing_bound() -> None:
    bind("acme", order=17)
    with bind_only(method="GET"):
        assert current() == (None, {"method": "GET"})
    assert current() == ("acme", {"order": 17})
