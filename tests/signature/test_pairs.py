"""Pairs of records that must, or must not, share a fine signature: those given, and more of their kinds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin.daemon.grouping.recorded import check, text

HERE = Path(__file__).parent
GIVEN = (HERE / "pairs.jsonl").read_text("utf-8").splitlines()
MORE = (HERE / "more_pairs.jsonl").read_text("utf-8").splitlines()
VERSION_2 = (HERE / "pairs_2.jsonl").read_text("utf-8").splitlines()
"""What version 1 does not know."""


@pytest.mark.parametrize("line", [*GIVEN, *MORE], ids=lambda line: json.loads(line)["id"])
def test_the_pair_is_grouped_as_it_says(line: str) -> None:
    for version in (1, 2):
        report = check([line], version=version)
        assert not report.problems
        assert report.pairs[0].passed, (report.pairs[0].a.components, report.pairs[0].b.components)


@pytest.mark.parametrize("line", VERSION_2, ids=lambda line: json.loads(line)["id"])
def test_the_pair_of_version_2_is_grouped_as_it_says(line: str) -> None:
    report = check([line])
    assert not report.problems
    assert report.pairs[0].passed, (report.pairs[0].a.components, report.pairs[0].b.components)
    assert json.loads(line)["why"]


def test_a_bad_line_is_named_and_stops_nothing() -> None:
    report = check(["{", "[]", '{"a": {"message": 3}}', GIVEN[0]])
    assert [problem.line for problem in report.problems] == [1, 2, 3]
    assert "message: must be a string" in report.problems[2].text
    assert len(report.pairs) == 1


def test_a_missing_key_is_named_with_its_path() -> None:
    pair = json.loads(GIVEN[16])
    del pair["b"]["exc"]["frames"][1]["lineno"]
    assert check([json.dumps(pair)]).problems[0].text == "b.exc.frames[1].lineno: missing"


def test_a_bare_record_and_one_under_a_are_signed_alike() -> None:
    record = json.loads(GIVEN[0])["a"]
    report = check([json.dumps(record), json.dumps({"id": "x", "a": record})])
    first, second = report.records
    assert first.signature == second.signature
    assert first.signature.components == ["message", "shop.orders", "place", "Order * for * failed"]
    assert second.id == "x"


def test_a_failing_pair_is_reported_as_failed() -> None:
    pair = {**json.loads(GIVEN[0]), "together": False}
    report = check([json.dumps(pair)])
    assert [one.id for one in report.failed] == [pair["id"]]
    assert not report.ok


def test_deeply_nested_lines_are_a_problem_not_a_crash() -> None:
    report = check(["[" * 100_000, '{"a": ' * 5000])
    assert len(report.problems) == 2


def test_the_text_names_the_failed_pair_and_both_sides() -> None:
    pair = {**json.loads(GIVEN[0]), "together": False}
    rows = text(check([json.dumps(pair), GIVEN[1], "{"])).splitlines()
    assert rows[0].startswith("line 3: not JSON")
    assert rows[1].startswith("line 1: fstr-words: must not share a signature")
    assert rows[-1] == "1 of 2 pairs as they must be"


def test_half_a_character_in_a_record_is_replaced() -> None:
    record = {**json.loads(GIVEN[1])["a"], "message": "caf\ud800 failed"}
    assert check([json.dumps(record)]).records[0].signature.title == "caf? failed"
