from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.handler.capture.source import (
    STATEMENT_LIMIT,
    Source,
    canonical,
    parsed,
    statement_of,
    template_of,
)


@pytest.mark.parametrize(("before", "after"), [
    ("x = f(a, 'b',)", 'x = f(\n    a,\n    "b",  # why\n)'),
    ("return (a\n  and b)", "return a and b"),
    ("for (x, y) in z :\n pass", "for x, y in z:\n    pass"),
    ("for x, in z:\n  pass", "for (x,) in z:\n    pass"),
    ("class A():\n x = 1", "class A:\n    x = 1"),
    ("with (open(a) as b, c as d,):\n pass", "with open(a) as b, c as d:\n    pass"),
    ("raise X('don\\'t')", 'raise X("don\'t")'),
    ("x = 0XFF + 1E5", "x = 0xFF + 1e5"),
    ("x = F'{a}' U'b'", 'x = f"{a}" "b"'),
    ("if(a):\n pass", "if a:\n    pass"),
    ("x = a + \\\n  b", "x = a + b"),
    ("del (a), (b)", "del a, b"),
    ("x=( )", "x = ()"),
    ("print(not(x))", "print(not (x))"),
    ("match (x) :\n case (1) : pass", "match x:\n    case 1:\n        pass"),
])  # fmt: skip
def test_a_formatter_does_not_change_a_statement(before: str, after: str) -> None:
    assert statement_of(before, 1) == statement_of(after, 1)


@pytest.mark.parametrize(("one", "other"), [
    ("x = f(a)", "x = g(a)"), ("x = 'a b'", "x = 'ab'"), ("return notx", "return not x"),
    ("x = ()", "x = []"),
    ("f(a)(b)", "f(a, b)"), ("x = 'a'", "x = b'a'"),
])  # fmt: skip
def test_statements_that_differ_stay_different(one: str, other: str) -> None:
    assert statement_of(one, 1) != statement_of(other, 1)


@pytest.mark.parametrize(("line", "statement"), [
    (1, "@deco(1)"), (2, "def f(a,b=2):"), (3, "def f(a,b=2):"), (4, "try:"), (5, "if a:"), (6, "g(a,b)"),
    (7, "g(a,b)"), (9, "except KeyError:"), (10, "pass"),
])  # fmt: skip
def test_the_smallest_statement_around_a_line_is_taken_its_header_only(line: int, statement: str) -> None:
    header = "@deco(1)\ndef f(a,\n      b=2):\n"
    text = header + "  try:\n    if a:\n      g(a,\n        b\n      )\n  except KeyError:\n    pass\n"
    assert statement_of(text, line) == statement


@pytest.mark.parametrize(("call", "template"), [
    ('log.error("Order %s failed", x)', "Order * failed"),
    ('log.error("100%")', "100%"),
    ('log.error("%5.2f%% of %(name)s", x)', "*% of *"),
    ('log.error(f"Order {x!r:>10} failed")', "Order * failed"),
    ('log.error("Order {} {{}} failed".format(x))', "Order * {} failed"),
    ('log.error("Order " + str(x) + " failed")', "Order * failed"),
    ('log.error("Order %s" % x)', "Order *"),
    ('log.error(_("Order %s failed"), x)', "Order * failed"),
    ('log.error(ngettext("%d row", "%d rows", n), n)', "* row"),
    ('log.log(ERROR, "Order failed")', "Order failed"),
    ('log.error(msg="Order failed")', "Order failed"),
    ("report('Order %s failed', x)", "Order * failed"),
    ("log.error(msg)", None), ("log.error(e)", None), ("log.error(f'{e}')", None), ("x = 1", None),
])  # fmt: skip
def test_the_template_of_a_logging_call_is_its_literal_text(call: str, template: str | None) -> None:
    assert template_of(call, 1) == template


def test_the_inner_logging_call_of_a_line_is_the_one() -> None:
    assert template_of('run("a b c", lambda: log.error("inner"))', 1) == "inner"


def test_a_gettext_template_says_that_it_is_translated() -> None:
    found = Source('log.error(_("Order %s failed"), x)').template(1)
    assert found is not None
    assert found.translated


def test_parsing_prints_no_warning_for_an_invalid_escape() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert statement_of('x = "\\d" + r"\\w"', 1) == 'x="\\d"+r"\\w"'


def test_what_cannot_be_parsed_is_none() -> None:
    assert parsed("def f(:") is None
    assert parsed("x\0") is None
    assert parsed("(" * 10_000) is None
    assert parsed("-" * 200_000 + "x") is None


def test_columns_count_bytes_yet_text_is_cut_right() -> None:
    assert statement_of("é = 'ü'; x = é['ß']; y = 1", 1) == 'é="ü"'


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_canonical_form_of_bounded_length(text: str) -> None:
    assert len(canonical(text)) <= STATEMENT_LIMIT


@given(st.text(alphabet="abf'\"()[]{},:= \n\\#1.", max_size=120))
@settings(max_examples=400, deadline=None)
def test_any_source_is_read_without_raising(text: str) -> None:
    source = parsed(text)
    if source:
        for line in range(len(source.lines) + 2):
            source.statement(line)
            source.template(line)
