"""What an exception came from and what a group holds: the whole chain's root, every group's message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CAPTURE, caught, event_of, fail, raised_by, record

from tocsin.daemon.grouping.sign import sign
from tocsin.handler.capture.raised import CHAIN
from tocsin.handler.protocol.event import Raised


def raiser(kind: type[BaseException]) -> Callable[..., BaseException]:
    """Makes exceptions that were raised at one place of their own."""
    work: dict[str, object] = {"kind": kind, "caught": caught}
    exec(compile("def raised(*args):\n    raise kind(*args)", f"/srv/app/{kind.__name__}.py", "exec"), work)
    return lambda *args: caught(lambda: work["raised"](*args))  # type: ignore[operator]


VALUE, KEY, OS = raiser(ValueError), raiser(KeyError), raiser(OSError)


def of_group(*members: BaseException, message: str = "unhandled errors in a TaskGroup") -> Raised:
    return raised_by(lambda: fail(BaseExceptionGroup(message, members)))


def test_a_groups_text_is_its_message_and_how_many_it_holds() -> None:
    assert of_group(VALUE("price"), KEY("sku")).text == "unhandled errors in a TaskGroup (2 sub-exceptions)"
    assert of_group(VALUE("price")).text == "unhandled errors in a TaskGroup (1 sub-exception)"


def test_a_group_with_a_text_of_its_own_keeps_it() -> None:
    class Batch(ExceptionGroup[Exception]):
        def __str__(self) -> str:
            return "half of the batch"

    assert raised_by(lambda: fail(Batch("x", [ValueError()]))).text == "half of the batch"


def test_a_groups_own_properties_are_not_asked() -> None:
    class Strange(ExceptionGroup[Exception]):
        @property
        def exceptions(self) -> tuple[Exception, ...]:  # type: ignore[override]
            raise SystemExit

        message = property(lambda self: exec("raise SystemExit"))  # type: ignore[assignment]

    strange = Strange.__new__(Strange, "odd", [ValueError("price")])
    raised = raised_by(lambda: fail(strange))
    assert (raised.text, [one.text for one in raised.group]) == ("odd (1 sub-exception)", ["price"])


def test_a_group_in_a_group_keeps_its_message_and_its_members() -> None:
    inner = caught(lambda: fail(ExceptionGroup("second batch", [KEY("sku")])))  # type: ignore[type-var]
    first, second = of_group(VALUE("price"), inner).group
    assert (first.type, first.text) == ("ValueError", "price")
    assert (second.text, second.frames[-1].function) == ("second batch (1 sub-exception)", "fail")
    assert [one.type for one in second.group] == ["KeyError"]


def test_members_like_another_one_are_told_by_type_and_text() -> None:
    raised = of_group(VALUE("price"), VALUE("weight"), VALUE("size"), VALUE("size"))
    assert [one.text for one in raised.group] == ["price"]
    assert raised.others == ("ValueError: weight", "ValueError: size (2 times)")


def test_a_group_that_holds_nothing_new_is_told_too() -> None:
    inner = ExceptionGroup("second batch", [VALUE("weight")])  # type: ignore[type-var]
    assert of_group(VALUE("price"), inner).others == (
        "ValueError: weight",
        "ExceptionGroup: second batch (1 sub-exception)",
    )


@pytest.mark.parametrize("count", [100, 5000])
def test_of_many_others_their_number_is_told(count: int) -> None:
    raised = of_group(*(VALUE(f"number {number}") for number in range(count)))
    assert len(raised.others) == 21
    assert raised.others[-1] == f"… (of {count - 1} exceptions)"


def test_a_secret_among_the_others_is_scrubbed() -> None:
    assert "s3cret" not in of_group(VALUE("x"), VALUE("password=s3cretPw")).others[0]


def nested(depth: int, *leaves: BaseException) -> BaseException:
    error: BaseException = ExceptionGroup("innermost", leaves)  # type: ignore[type-var]
    for _ in range(depth):
        error = ExceptionGroup("around", [error])  # type: ignore[type-var,list-item]
    return error


def test_the_leaves_of_deeply_nested_groups_are_kept() -> None:
    event = event_of(record("failed", (), caught(lambda: fail(nested(700, VALUE("price"), KEY("sku"))))))
    found = event.exception
    types = []
    while found is not None and found.group:
        types = [one.type for one in found.group]
        found = found.group[-1]
    assert types == ["ValueError", "KeyError"]


@given(st.recursive(st.sampled_from([VALUE, KEY, OS]), lambda inner: st.lists(inner, min_size=1, max_size=4)))
@settings(deadline=None, max_examples=60)
def test_however_members_are_nested_the_error_is_the_same(shape: object) -> None:
    """The signature asks for the distinct leaves only; every group's place here is `fail`."""
    leaves: list[BaseException] = []

    def build(part: object) -> BaseException:
        if isinstance(part, list):
            return ExceptionGroup("nested", [build(one) for one in part])  # type: ignore[type-var,misc]
        leaves.append(part("x"))  # type: ignore[operator]
        return leaves[-1]

    whole = build([shape])
    nested_event = event_of(record("failed", (), caught(lambda: fail(whole))))
    flat_event = event_of(record("failed", (), caught(lambda: fail(ExceptionGroup("flat", leaves)))))  # type: ignore[type-var]
    assert sign(nested_event, {}).fine == sign(flat_event, {}).fine


def test_the_title_of_a_task_group_tells_its_message_and_its_number() -> None:
    async def price() -> None:
        raise ValueError("price")

    async def stock() -> None:
        raise KeyError("sku")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(price())
            group.create_task(stock())

    event = event_of(record("batch failed", (), caught(lambda: asyncio.run(main()))))
    assert sign(event, {}).title == "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)"


def chain(links: int, explicit: bool) -> BaseException:
    error: BaseException = caught(lambda: fail(OSError("the disk is gone")))
    for number in range(links):
        outer = RuntimeError(f"layer {number}")
        outer.__cause__ = error if explicit else None
        outer.__context__ = error
        outer.__suppress_context__ = explicit
        error = outer
    return error


def links_of(raised: Raised) -> list[Raised]:
    found: list[Raised] = [raised]
    while further := found[-1].cause or found[-1].context:
        found.append(further)
    return found


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("more", [1, 2, 30, 300])
def test_the_root_of_a_long_chain_is_kept_and_what_is_left_out_is_counted(more: int, explicit: bool) -> None:
    links = CHAIN + more
    found = links_of(raised_by(lambda: fail(chain(links, explicit))))
    assert (found[-1].type, found[-1].text) == ("OSError", "the disk is gone")
    assert found[-1].frames[-1].function == "fail"
    assert len(found) + (found[-1].skipped or 0) == 1 + links
    assert len(found) == 1 + CHAIN + 1


def test_a_chain_that_is_kept_whole_skips_nothing() -> None:
    found = links_of(raised_by(lambda: fail(chain(CHAIN, True))))
    assert (len(found), found[-1].text, found[-1].skipped) == (1 + CHAIN, "the disk is gone", None)


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second, third = RuntimeError("a"), RuntimeError("b"), RuntimeError("c")
    first.__cause__, second.__cause__, third.__cause__ = second, third, second
    texts = [one.text for one in links_of(raised_by(lambda: fail(first)))]
    assert texts == ["a", "b", "c"]


def test_other_roots_make_other_events() -> None:
    def key(text: str) -> int:
        error = chain(CHAIN + 5, True)
        links = [error]
        while links[-1].__cause__:
            links.append(links[-1].__cause__)
        links[-1].args = (text,)
        return CAPTURE.summarize(record("failed", (), error)).key

    assert key("a") == key("a") != key("b")
