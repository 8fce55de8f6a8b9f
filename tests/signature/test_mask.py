from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.daemon.grouping.mask import INPUT_LIMIT, LIMIT, mask

PIECES = [
    "a", "17", "*", "'", '"', "`", "{", "}", "[", "]", "(", ")", ",", " ", ":", "=", "/", "\\", "@", ".", "-",
    "%",
    "C:\\", "http://", "eyJabcdefgh", "SELECT ", "None", "ms", "May", "Mon", "deadbeef", "é", "订", "«", "»",
    "\x1b[0m", "\n", "b'", "~/", "../", "x.py", "{'",
]  # fmt: skip
HOSTILE = [
    "[[", "((", "*, ", "(*)", "a/", "a@", "1s ", "1m 1", "a'", "Jan * ", "=*", "aa/a.", "VALUES '", "http:/",
    "deadbee ", "“", "a:b ", "/*", "x=", "{a:",
]  # fmt: skip
texts = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


@given(texts)
@settings(max_examples=600, deadline=None)
def test_masking_a_masked_text_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(max_size=30), st.integers(1, 400))
@settings(deadline=None)
def test_a_masked_text_is_never_longer_than_the_text_or_the_limit(text: str, times: int) -> None:
    assert len(mask(text * times)) <= min(LIMIT, len(text * times))


@pytest.mark.parametrize("unit", [*PIECES, *HOSTILE])
def test_hostile_texts_take_no_more_than_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = (unit * size)[:size]
        best = 1.0
        for _ in range(5):
            begun = time.perf_counter()
            mask(text)
            best = min(best, time.perf_counter() - begun)
        return best

    small, large = seconds(INPUT_LIMIT // 8), seconds(INPUT_LIMIT)
    # 8 times the text: a quadratic pattern would take 64 times as long.
    assert large < 24 * max(small, 20e-6), (small, large)


def test_a_text_far_over_the_limit_costs_no_more_than_one_at_it() -> None:
    begun = time.perf_counter()
    mask("x1 " * 5_000_000)
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize(("text", "masked"), [
    ("user bob@example.com got 3 errors", "user * got * errors"),
    ("took 3.2s", "took *"),
    ("took 450 ms", "took *"),
    ("took 1m 30s", "took *"),
    ("bare 6f1c2a34-9d1e-4c57-8b1a-0f2c6b1d9e77 uuid", "bare * uuid"),
    ("no such user 'ann'", "no such user *"),
    ("vendor said 'payment declined'", "vendor said 'payment declined'"),
    ("ids 1, 2, 3 lost", "ids * lost"),
    ("1 2 3 lost", "* * * lost"),
    ("ok=True, last: None", "ok=*, last: *"),
    ("read and/or write", "read and/or write"),
    ("don't call f() here", "don't call f() here"),
    ("订单17失败", "订单*失败"),
])  # fmt: skip
def test_what_varies_is_masked_and_words_stay(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(("text", "masked"), [
    ("\x1b[31mred\x1b[0m alert", "red alert"),
    ("a  b\n\tc ", "a b c"),
    ("see http://example.org/a?b#c for it", "see * for it"),
    ("open '/srv/my data/x' failed", "open * failed"),
    ('open "/srv/my data/x" failed', "open * failed"),
    ("open C:/tmp/(x/y failed", "open * failed"),
    ("open 'C:\\a b' failed", "open * failed"),
    ("open C:\\tmp\\x failed", "open * failed"),
    ("open C:/tmp/x failed", "open * failed"),
    ("open \\\\srv\\share failed", "open * failed"),
    ("open /etc/passwd failed", "open * failed"),
    ("open ~/x failed", "open * failed"),
    ("open ./x failed", "open * failed"),
    ("open src/a/b.py failed", "open * failed"),
    ("mail to bob@example.org now", "mail to * now"),
    ("token eyJabcdefghijk refused", "token * refused"),
    ("no such user: SELECT name='ann lee'", "no such user: SELECT name=*"),
    ("name='ann lee'", "name='ann lee'"),
    ("SELECT name, age", "SELECT name, age"),
    ("took 1h 2m 3s in all", "took * in all"),
    ("id ab12cd gone", "id * gone"),
    ("commit deadbeef gone", "commit * gone"),
    ("commit DEADBEEF gone", "commit * gone"),
    ("commit deadbee gone", "commit deadbee gone"),
    ("no `x` here", "no * here"),
    ('no "x" here', "no * here"),
    ("no 'x' here", "no * here"),
    ("say “hi” now", "say * now"),
    ("dire « oui » ici", "dire * ici"),
    ("got {a b} now", "got * now"),
    ("got {'a", "got *"),
    ("got { x", "got { x"),
    ("items [] left", "items * left"),
    ("x: True", "x: *"),
    ("x=none", "x=*"),
    ("x True", "x True"),
    ("at 5 % of it", "at * of it"),
    ("at 5 kB/s now", "at * now"),
    ("5 files", "* files"),
    ("on Mon, Jan 5, 2024 at", "on * at"),
    ("on 5 Jan 2024 at", "on * at"),
    ("1, 2, 3", "*"),
    ("case (1) of", "case * of"),
    ("case [1] of", "case * of"),
    ("call f(1) now", "call f(*) now"),
    ("key a1== refused", "key * refused"),
])  # fmt: skip
def test_each_kind_of_value_is_masked_by_itself(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_what_is_beyond_the_input_s_limit_is_not_looked_at() -> None:
    assert mask(" " * (INPUT_LIMIT - 1) + "ab") == "a"


def test_a_masked_text_ends_at_the_limit() -> None:
    assert mask("ab " * 400) == ("ab " * 400)[:LIMIT].strip()
    assert mask("ab" + " cd" * 170 + "x") == "ab" + " cd" * 170


@pytest.mark.parametrize("value", [
    "7", "1h 2m", "deadbeef", "'x'", '"x"', "`x`", "“x”", "« x »", "{a b}", "= []", "=none", "5 %", "a1==", "Jan 5",
    "1, 2", "(1)", "[1]", "/a/b", "http://a.org/b", "订1",
])  # fmt: skip
def test_the_limit_is_one_of_what_is_masked_already(value: str) -> None:
    masked = mask(f"w {value}").removeprefix("w ")
    assert mask(f"w {value} " * 250) == (f"w {masked} " * 250)[:LIMIT].strip()


def test_a_value_that_is_cut_off_is_masked_at_the_limit_s_edge() -> None:
    assert mask("w " * (LIMIT // 2 - 1) + "{") == "w " * (LIMIT // 2 - 1) + "*"
