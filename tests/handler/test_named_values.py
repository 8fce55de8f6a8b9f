"""Named values are shown the same, however often the like of them was seen before."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tocsin.handler.capture.named_values import Harmless, NamedValues
from tocsin.handler.capture.scrub import MARK, Scrubber

SCRUB = Scrubber(("pesel",))
SEEN = Harmless()

NAMES = st.sampled_from(
    [
        "order_id",
        "step",
        "value",
        "name",
        "key",
        "password",
        "apiKey",
        "pesel",
        "card",
        "a\nb",
        "note",
        "_logger",
    ]
) | st.text(max_size=80)
SECRETS = ["password=hunter2", "Bearer abc123def456", "4111 1111 1111 1111", "AKIAIOSFODNN7EXAMPLE", "secret"]
VALUES = (
    st.sampled_from([*SECRETS, "payment", "France", "None", "x" * 300])
    | st.text(max_size=80)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from([4111111111111111, 10**11, 2**70, float("nan")])
    | st.lists(st.integers(), max_size=3)
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=25)


def shown(fields: dict[str, Any], known: Harmless) -> dict[str, str]:
    found = NamedValues(known)
    found.add(fields.items(), frozenset({"fingerprint"}))
    return found.shown(SCRUB)


@given(FIELDS, FIELDS)
def test_what_was_seen_before_changes_nothing(before: dict[str, Any], fields: dict[str, Any]) -> None:
    for one in (before, fields, before | fields):
        first = shown(one, Harmless())
        assert list(shown(one, SEEN).items()) == list(first.items()) == list(shown(one, SEEN).items())


def test_a_harmless_text_is_a_secret_under_a_secrets_name() -> None:
    known = Harmless()
    for _ in range(2):
        assert shown({"step": "payment", "password": "x"}, known) == {"step": "payment", "password": MARK}
        assert shown({"password": "payment"}, known) == {"password": MARK}


def test_a_harmless_name_may_have_a_secret_value() -> None:
    known = Harmless()
    assert shown({"note": "paid"}, known) == {"note": "paid"}
    assert shown({"note": "password=hunter2"}, known) == {"note": f"password={MARK}"}
    assert shown({"note": 4111111111111111}, known) == {"note": MARK}


def test_a_value_beside_the_name_of_a_secret_is_one_though_both_were_seen_alone() -> None:
    known = Harmless()
    shown({"name": "password"}, known)
    shown({"value": "hunter"}, known)
    assert shown({"name": "password", "value": "hunter"}, known)["value"] == MARK


def test_a_secrets_name_whose_value_was_none_is_still_a_secrets_name() -> None:
    known = Harmless()
    assert shown({"password": "None", "step": "payment"}, known)["password"] == "None"
    assert shown({"password": "payment"}, known) == {"password": MARK}


def test_a_name_that_is_told_elsewhere_is_left_out_though_it_is_known() -> None:
    known = Harmless()
    found = NamedValues(known)
    found.add([("fingerprint", "paid")])
    assert found.shown(SCRUB) == {"fingerprint": "paid"}
    assert shown({"fingerprint": "paid"}, known) == {}


def test_what_is_known_is_bounded() -> None:
    known = Harmless()
    for number in range(10_000):
        shown({f"name {number}": f"text {number}"}, known)
    assert len(known.names) < 5000
    assert len(known.texts) < 5000
