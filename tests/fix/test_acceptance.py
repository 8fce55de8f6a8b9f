"""What of an agent's changes may be accepted, and when green tests are not believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.agent.acceptance import (
    LINK,
    REPOSITORY,
    ChangedFile,
    Place,
    Rules,
    doubts,
    is_test,
    protection,
    refusals,
)
from tocsin.daemon.settings import PROTECTED

RULES = Rules("", PROTECTED, 3)
OLD = b"import os\n\n\ndef price(sku):\n    found = PRICES[sku]\n    return found\n"


def changed(
    path: str = "shop/orders.py", *, old: bytes | None = OLD, new: bytes | None = b"x = 1\n", **more: object
):
    known = {"mode": "100644", "size": max(len(old or b""), len(new or b""))}
    return ChangedFile(path=path, before=old, after=new, **{**known, **more})


def codes(*files: ChangedFile, rules: Rules = RULES) -> list[str]:
    return [one.code for one in refusals(files, rules)]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (changed(".gitattributes"), "protected"),
        (changed("app/.git/config"), "protected"),
        (changed(".github/workflows/ci.yml"), "protected"),
        (changed("shop/migrations/0001.py"), "protected"),
        (changed("tests/conftest.py"), "protected"),
        (changed("app/x", mode=LINK), "link"),
        (changed("app", mode=REPOSITORY), "repository"),
        (changed("a.py", size=2_000_000, new=None), "large"),
        (changed("a.bin", new=b"\0\1"), "binary"),
        (changed("a.txt", new=b"\xff\xfe"), "binary"),
        (changed("tests/test_a.py", old=b"assert 1\nassert 2\n", new=b"assert 1\n"), "tests_weakened"),
        (changed("tests/test_a.py", old=b"assert 1\n", new=None), "tests_weakened"),
        (changed("tests/test_a.py", old=b"assert 1\n", new=b"assert 1\nassert 2\n"), "tests_only"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.path,
)
def test_a_change_that_may_not_be_is_refused(file: ChangedFile, code: str) -> None:
    assert codes(file) == [code]


def test_a_plain_change_of_code_is_accepted_and_a_new_test_beside_it() -> None:
    assert codes(changed(), changed("tests/test_new.py", old=None)) == []


def test_nothing_and_too_much_are_refused() -> None:
    assert codes() == ["empty"]
    assert codes(*(changed(f"{n}.py") for n in range(4))) == ["many"]


def test_within_a_part_of_a_repository_the_rest_is_outside() -> None:
    rules = Rules("part", ("top.py",), 9)
    assert codes(changed("part/a.py"), rules=rules) == []
    assert codes(changed("parting/a.py"), rules=rules) == ["outside"]
    assert codes(changed("part/top.py"), rules=rules) == ["protected"]


@pytest.mark.parametrize(
    ("path", "pattern", "hit"),
    [
        ("migrations/0001.py", "migrations/", True),
        ("shop/migrations/deep/0001.py", "migrations/", True),
        ("shop/migrations.py", "migrations/", False),
        ("shop/db/migrations/1.py", "db/migrations/", True),
        ("migrations/db/1.py", "db/migrations/", False),
        ("shop/settings.py", "settings.py", True),
        ("shop/settings_test.py", "settings.py", False),
        ("shop/settings.py", "shop/*.py", True),
        ("other/settings.py", "shop/*.py", False),
        ("a/.env.local", ".env*", True),
    ],
)
def test_what_a_pattern_protects(path: str, pattern: str, hit: bool) -> None:
    assert (protection(path, [pattern]) is not None) == hit


@given(st.lists(st.sampled_from(["a", "b", "migrations", ".git", "conftest.py"]), min_size=1, max_size=5))
def test_whatever_lies_in_gits_directory_is_protected(parts: list[str]) -> None:
    path = "/".join(parts)
    assert (codes(changed(path)) == ["protected"]) == (
        ".git" in parts or "conftest.py" in parts or "migrations" in parts[:-1]
    )


@pytest.mark.parametrize("path", ["tests/a.py", "app/test/b.py", "test_a.py", "app/a_test.py", "conftest.py"])
def test_tests_are_known_by_name_or_directory(path: str) -> None:
    assert is_test(path)
    assert not is_test("app/testing.py")


PLACE = [Place("shop/orders.py", "price")]


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (b"import os\n", "gone"),
        (b"def price(sku):\n    return None\n", "emptied"),
        (b"def price(sku):\n    '''Says.'''\n    ...\n", "emptied"),
        (
            b"def price(sku):\n    try:\n        return PRICES[sku]\n    except Exception:\n        pass\n",
            "swallowed",
        ),
        (
            b"def price(sku):\n    try:\n        return PRICES[sku]\n    except:\n        return 0\n",
            "swallowed",
        ),
        (b"import os\n\n\ndef price(sku):\n    return found\n", "only_removed"),
    ],
)
def test_a_correction_that_takes_the_failing_code_away_is_doubted(new: bytes, code: str) -> None:
    assert [one.code for one in doubts([changed(new=new)], PLACE)] == [code]


@pytest.mark.parametrize(
    "new",
    [
        b"def price(sku):\n    return PRICES.get(sku, 0)\n",
        b"def price(sku):\n    try:\n        return PRICES[sku]\n    except KeyError:\n        return 0\n",
        b"def price(sku):\n    try:\n        return P[sku]\n    except Exception as e:\n        raise No from e\n",
    ],
)
def test_a_correction_of_the_cause_is_not(new: bytes) -> None:
    assert doubts([changed(new=new)], PLACE) == []


def test_the_place_of_a_lambda_is_the_function_around_it() -> None:
    old = b"class A:\n    def f(self):\n        return sorted(a, key=lambda x: x['n'])\n"
    new = b"class A:\n    def f(self):\n        return None\n"
    place = [Place("shop/orders.py", "A.f.<locals>.<lambda>")]
    assert [one.code for one in doubts([changed(old=old, new=new)], place)] == ["emptied"]


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_break_the_look_at_them(old: bytes, new: bytes) -> None:
    refusals([changed(old=old, new=new)], RULES)
    doubts([changed(old=old, new=new)], PLACE)
