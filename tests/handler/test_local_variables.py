"""Local variables: each value is written once, secrets are looked for in all texts together, none is missed."""

from __future__ import annotations

from collections import deque
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from records import Cart, raised_by

from tocsin.handler.capture import values
from tocsin.handler.capture.scrub import LIMIT, MARK, Scrubber
from tocsin.handler.capture.secret_tokens import SHAPES, may_have_shape

S = Scrubber()
KEY = "AKIA" + "IOSFODNN7EXAMPLE"
SECRETS = [f"'{KEY}'", "pwd=Hunter2x", "{'api_key': 'abc'}", "4111111111111111", "postgres://a:b@c/d"]
TEXTS = st.one_of(
    st.sampled_from(SECRETS),
    st.text(max_size=60),
    st.text("token=: -'\"@/", max_size=30),
    st.sampled_from(["'shipping'", "pass", "Session", "x" * LIMIT, "x" * (LIMIT + 1), "12.5"]),
)
SHORT = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.text(max_size=9),
    st.binary(),
)


@given(st.lists(TEXTS, max_size=12))
def test_texts_looked_at_together_are_what_each_is_alone(texts: list[str]) -> None:
    assert S.texts(texts) == [S.text(text) for text in texts]


def test_clean_texts_are_not_copied() -> None:
    texts = ["'Paris'", "12.5"]
    assert S.texts(texts) is texts


def test_a_secret_that_several_frames_hold_is_shown_in_none() -> None:
    def outer(found: str, city: str) -> None:
        def inner(again: str, city: str) -> None:
            raise KeyError

        inner(found, city)

    frames = raised_by(lambda: outer(f"it is {KEY}", "Paris")).frames[-2:]
    assert [(frame.locals or {})["city"] for frame in frames] == ["'Paris'", "'Paris'"]
    assert (frames[0].locals or {})["found"] == (frames[1].locals or {})["again"] == f"'it is {MARK}'"


def test_a_secret_of_one_frame_leaves_the_others_as_they_are() -> None:
    def outer(first: str) -> None:
        def inner(second: str) -> None:
            raise KeyError

        inner("Lyon")

    frames = raised_by(lambda: outer("pwd=Hunter2x")).frames[-2:]
    assert (frames[0].locals or {})["first"] == f"'pwd={MARK}'"
    assert frames[1].locals == {"second": "'Lyon'"}


def test_a_value_that_several_frames_hold_is_written_once() -> None:
    def outer(cart: Cart) -> None:
        def inner(same: Cart) -> None:
            raise KeyError

        inner(cart)

    cart = Cart()
    with mock.patch.object(values, "render", side_effect=values.render) as render:
        frames = raised_by(lambda: outer(cart)).frames
    assert (frames[-1].locals or {})["same"] == (frames[-2].locals or {})["cart"] == "<records.Cart>"
    assert [call.args[0] for call in render.call_args_list].count(cart) == 1


def test_a_name_kept_for_secrets_shows_no_value_that_is_shown_under_another() -> None:
    def work(user: str, password: str) -> None:
        raise KeyError

    same = "hunter2"
    assert raised_by(lambda: work(same, same)).frames[-1].locals == {"user": "'hunter2'", "password": MARK}


def test_a_key_of_an_argument_that_is_a_secret_by_its_shape_is_not_kept() -> None:
    def work(prices: dict[str, int]) -> None:
        raise KeyError

    assert raised_by(lambda: work({KEY: 3})).frames[-1].arguments is None


@given(st.one_of(st.lists(SHORT, max_size=10), st.dictionaries(st.text(max_size=9), SHORT, max_size=10)))
def test_few_short_texts_and_numbers_are_written_as_python_writes_them(held: Any) -> None:
    assert values.render(held) == values.shortened(repr(held), values.ROOM)


@given(
    st.lists(st.one_of(SHORT, st.text(max_size=999), st.integers(), st.lists(SHORT, max_size=3)), max_size=3)
)
def test_a_list_is_written_item_by_item_however_it_is_done(held: list[Any]) -> None:
    assert values.render(held)[1:-1] == values.render(deque(held))[7:-2]


PIECES = st.one_of(
    st.sampled_from([
        *("Bearer abcd1234efgh", "basic ", "http://u:p@h", "@", "://", "-u bob:hunter2", "mysql -psecret "),
        *("4111-1111-1111-1111", "4111 1111 1111 ", "1111", KEY, "ghp_" + "a1B2" * 6, "é", "\ud800", "\n"),
        *("input_value=[abc...xyz, input_type=", "word "),
        *("-----BEGIN KEY-----", "DETAIL:  Failing row contains (1, x).", "hooks.slack.com/services/T0/B0/x"),
    ]),
    st.text(max_size=8),
)  # fmt: skip


@given(st.lists(PIECES, max_size=6).map("".join))
def test_what_no_shape_may_be_in_has_none(text: str) -> None:
    changed = [pattern.pattern for pattern, replace in SHAPES if pattern.sub(replace, text) != text]
    assert not changed or may_have_shape(text, text.lower())
