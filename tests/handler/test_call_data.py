"""A call with objects: described from their own attributes, without secrets, without running anything of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.handler.capture.call_data import arguments_of, call_of, has_state
from tocsin.handler.capture.scrub import Scrubber


class Colour(Enum):
    RED = 1


class Shelf:
    def __init__(self, places: Any) -> None:
        self.places = places


@dataclass(slots=True)
class Slotted:
    n: int
    never: Any = None


class Watchful:
    """Says when one of its methods is run."""

    def __init__(self) -> None:
        self.n = 1

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)


def told(value: Any) -> Any:
    found = call_of({"value": value}, ("value",), Scrubber())
    return found and found[0]["value"]


@pytest.mark.parametrize(
    ("value", "described"),
    [
        ({"a": [1, None]}, {"a": [1, None]}),
        ((1, "a"), {"$": ["tuple", [1, "a"]]}),
        (date(2024, 2, 29), {"$": ["date", "2024-02-29"]}),
        (datetime(2024, 2, 29, tzinfo=UTC), {"$": ["datetime", "2024-02-29T00:00:00+00:00"]}),
        (timedelta(1, 2), {"$": ["timedelta", [1, 2, 0]]}),
        (Decimal("1.50"), {"$": ["Decimal", "1.50"]}),
        (b"a\xff", {"$": ["bytes", "61ff"]}),
        (Colour.RED, {"$": ["enum", f"{__name__}.Colour", "RED"]}),
        (Shelf([1]), {"$": ["object", f"{__name__}.Shelf", {"places": [1]}]}),
        (Slotted(1), {"$": ["object", f"{__name__}.Slotted", {"n": 1, "never": None}]}),
    ],
)
def test_a_value_is_described_by_what_it_is_and_holds(value: Any, described: Any) -> None:
    assert told(value) == described


@pytest.mark.parametrize(
    "value",
    [object(), Exception("a"), type("Own", (dict,), {})(a=1), {"$": ["tuple", []]}, Shelf({"password": "hunter2"}),
     Shelf(("--password", "hunter2")), Shelf({"name": "password", "value": "hunter2"}), Shelf([0] * 300),
     Shelf(Shelf(Shelf(Shelf(Shelf(1))))), lambda: 1, Shelf(open), range(3)],
)  # fmt: skip
def test_what_holds_more_or_a_secret_is_not(value: Any) -> None:
    assert told(value) is None


def test_an_attribute_that_is_named_as_a_secret_is_not_told() -> None:
    shelf = Shelf(1)
    shelf.api_key = "hunter2"  # type: ignore[attr-defined]
    assert told(shelf) is None


def test_no_code_of_the_object_is_run() -> None:
    assert told(Watchful()) == {"$": ["object", f"{__name__}.Watchful", {"n": 1}]}


def test_the_object_of_a_method_stands_as_self() -> None:
    held = {"self": Shelf(2), "taken": 1}
    found = call_of(held, ("taken",), Scrubber())
    assert found is not None
    assert list(found[0]) == ["self", "taken"]
    assert has_state(held)
    assert not has_state({"taken": 1})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), st.lists, max_leaves=20
    )
)
def test_plain_data_is_described_by_itself(value: Any) -> None:
    plain = arguments_of({"value": value}, ("value",), Scrubber())
    assert plain == call_of({"value": value}, ("value",), Scrubber())
