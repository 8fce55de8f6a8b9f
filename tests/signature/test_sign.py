from __future__ import annotations

import json
import traceback
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.daemon.grouping import rule1, traceback_text
from tocsin.daemon.grouping.sign import cache_key, part_of, sign
from tocsin.daemon.grouping.speakers import Speaker, Speakers
from tocsin.handler.protocol.event import CodeLocation, Event, Frame, Raised, Syntax

VIEW = Frame("/srv/shop/views.py", "shop.views", "checkout", 40)
PRICE = Frame("/srv/shop/orders.py", "shop.orders", "Cart.price", 88)
PLACES = {
    (VIEW.path, 40): CodeLocation(VIEW.path, 40, "order=place(cart)", module="shop.views"),
    (PRICE.path, 88): CodeLocation(PRICE.path, 88, "total=prices[sku]", module="shop.orders"),
}


def event(**changed: Any) -> Event:
    known: dict[str, Any] = {"occurred_at": 0.0, "level": 40, "logger": "shop", "message": "Order 7 failed"}
    code = {"template": None, "path": "/srv/shop/a.py", "module": "a", "function": "run", "line": 3}
    return Event(**{**known, **code, **changed})


def raised(text: str = "'A1'", **changed: Any) -> Raised:
    return Raised(**{"type": "KeyError", "text": text, "frames": (VIEW, PRICE), **changed})


def test_both_signatures_carry_the_version_and_a_hash() -> None:
    found = sign(event(), {})
    assert found.fine.startswith("2:")
    assert len(found.fine) == len(found.coarse) == 34


def test_the_rule_of_version_1_is_frozen() -> None:
    # A change here is a new VERSION: every known error would get a new signature.
    assert sign(event(exception=raised()), PLACES, version=1).fine == "1:8f403f487171bb02c93987c1a181a88e"
    assert sign(event(), {}, version=1).fine == "1:f4ce0dff0094882051de5510edcc99df"


def test_the_rule_of_version_2_is_frozen() -> None:
    assert sign(event(exception=raised()), PLACES).fine == "2:8f403f487171bb02c93987c1a181a88e"
    assert sign(event(), {}).fine == "2:f4ce0dff0094882051de5510edcc99df"


def test_the_coarse_signature_survives_an_edited_statement() -> None:
    edited = {
        **PLACES,
        (PRICE.path, 88): msgspec.structs.replace(PLACES[PRICE.path, 88], statement="total=0"),
    }
    before, after = sign(event(exception=raised()), PLACES), sign(event(exception=raised()), edited)
    assert before.coarse == after.coarse
    assert before.fine != after.fine


@pytest.mark.parametrize(("type_", "text", "title"), [
    ("KeyError", "'A1'", "KeyError: *"), ("shop.errors.ApiError", "refused", "ApiError: refused"),
    ("ValueError", "", "ValueError"),
    ("OSError", "[Errno 2] No such file: '/a b'\nmore", "OSError: [Errno *] No such file: *"),
])  # fmt: skip
def test_the_title_of_an_exception_is_type_and_masked_value(type_: str, text: str, title: str) -> None:
    assert sign(event(exception=raised(text, type=type_)), PLACES).title == title


def test_the_title_of_a_message_is_its_template() -> None:
    assert sign(event(template="Order %s failed: %s"), {}).title == "Order * failed: *"


def test_where_is_the_innermost_frame_of_the_application() -> None:
    library = Frame("/usr/lib/python3.11/json/decoder.py", "json.decoder", "decode", 9)
    found = sign(event(exception=raised(frames=(VIEW, PRICE, library))), PLACES).location
    assert found == ("/srv/shop/orders.py", 88, "shop.orders", "Cart.price")


def test_where_is_the_logging_call_without_an_exception() -> None:
    place = CodeLocation("/srv/shop/a.py", 3, module="shop.a")
    assert sign(event(), {("/srv/shop/a.py", 3): place}).location == ("/srv/shop/a.py", 3, "shop.a", "run")


def test_where_of_a_warning_is_the_line_it_names() -> None:
    found = sign(event(logger="py.warnings", message="/srv/x.py:12: UserWarning: disk nearly full\n"), {})
    assert found.location[:2] == ("/srv/x.py", 12)


def test_the_logger_names_an_error_whose_place_is_unknown() -> None:
    unknown = event(path="(unknown file)", line=0, function="(unknown function)", logger="shop.jobs")
    assert sign(unknown, {}).components[1] == "shop.jobs"


def test_a_place_says_what_is_in_app_before_any_rule() -> None:
    foreign = {**PLACES, (PRICE.path, 88): msgspec.structs.replace(PLACES[PRICE.path, 88], in_app=False)}
    assert sign(event(exception=raised()), foreign).location.function == "checkout"


def test_equal_cache_keys_mean_equal_signatures_whatever_the_text() -> None:
    one, other = event(exception=raised("'A'")), event(exception=raised("'B'"), message="y", line=9)
    assert cache_key(one, PLACES) == cache_key(other, PLACES) is not None
    assert sign(one, PLACES).fine == sign(other, PLACES).fine


def test_the_text_is_in_the_cache_key_where_no_frame_is_in_app() -> None:
    foreign = {key: msgspec.structs.replace(place, in_app=False) for key, place in PLACES.items()}
    assert cache_key(event(exception=raised("a")), foreign) != cache_key(
        event(exception=raised("b")), foreign
    )


SPEAKERS = Speakers([Speaker(logger="shop", text=r"Order (\d+)")])


def test_the_version_before_is_told_only_where_it_is_asked_for() -> None:
    assert sign(event(), {}).older == ""
    assert sign(event(), {}, older=True).older == sign(event(), {}, version=1).fine


def test_the_version_before_knows_the_same_places() -> None:
    found = sign(event(exception=raised()), PLACES, older=True)
    assert found.older == sign(event(exception=raised()), PLACES, version=1).fine
    assert found.older != sign(event(exception=raised()), {}, version=1).fine


@pytest.mark.parametrize("version", [1, 2])
def test_a_module_is_not_in_app_where_the_configuration_says_so(version: int) -> None:
    found = sign(event(exception=raised()), {}, version=version, not_in_app=("shop.orders",))
    assert found.location.function == "checkout"


@pytest.mark.parametrize("version", [1, 2])
def test_a_module_is_in_app_where_the_configuration_says_so(version: int) -> None:
    installed = Frame("/usr/lib/python3/site-packages/shop_core/a.py", "shop_core.a", "total", 1)
    one = event(exception=raised(frames=(VIEW, installed)))
    assert sign(one, {}, version=version).location.function == "checkout"
    assert sign(one, {}, version=version, in_app=("shop_core",)).location.function == "total"


@pytest.mark.parametrize("given", [{"not_in_app": ("shop.orders",)}, {"in_app": ("json",)}])
def test_the_version_before_is_told_under_the_same_configuration(given: dict[str, tuple[str, ...]]) -> None:
    library = Frame("/usr/lib/python3.11/json/decoder.py", "json.decoder", "decode", 9)
    one = event(exception=raised(frames=(VIEW, PRICE, library)))
    found = sign(one, {}, older=True, **given)
    assert found.older == sign(one, {}, version=1, **given).fine
    assert found.older != sign(one, {}, version=1).fine


def test_what_a_library_says_of_the_application_s_code_is_part_of_the_signature() -> None:
    seven, eight = (event(message=f"Order {number} failed") for number in (7, 8))
    assert sign(seven, {}).fine == sign(eight, {}).fine
    assert sign(seven, {}, speakers=SPEAKERS).fine != sign(eight, {}, speakers=SPEAKERS).fine


def test_a_fingerprint_replaces_what_an_error_is_known_by() -> None:
    assert sign(event(fingerprint=("own",)), {}).components == ["fingerprint", ["own"]]


def test_a_fingerprint_may_add_to_what_an_error_is_known_by() -> None:
    found = sign(event(fingerprint=("{{ default }}", "x")), {})
    assert found.components == ["fingerprint", [sign(event(), {}).components, "x"]]


def test_the_coarse_signature_is_not_the_fine_one_and_frozen_too() -> None:
    assert sign(event(exception=raised()), PLACES).coarse == "2:4a08667f91a5f34a3feba1da8983a343"
    assert sign(event(exception=raised()), PLACES, version=1).coarse == "1:4a08667f91a5f34a3feba1da8983a343"


def test_a_part_of_an_error_is_another_one_of_the_same_place() -> None:
    whole = sign(event(exception=raised()), PLACES, older=True)
    part = part_of(whole, "client", "acme")
    assert part.components == ["split", whole.components, "client", "acme"]
    assert part.fine == "2:8b45668144eb5eada32132f6d30b9995"
    assert (part.coarse, part.location, part.older) == (whole.coarse, whole.location, "")


def test_the_title_of_a_part_says_which() -> None:
    whole = sign(event(exception=raised()), PLACES)
    assert part_of(whole, "client", "acme").title == "KeyError: * (acme)"
    assert part_of(whole, "client", "").title == "KeyError: * (none)"


def test_the_title_of_a_part_is_capped() -> None:
    whole = sign(event(exception=raised()), PLACES)
    assert len(part_of(whole, "client", "x" * 999).title) == rule1.TITLE_LIMIT


def test_the_configuration_has_a_say_in_what_the_cache_key_leaves_out() -> None:
    one, other = event(exception=raised("a")), event(exception=raised("b"))
    assert cache_key(one, {}) == cache_key(other, {})
    none = {"not_in_app": ("shop",)}
    assert cache_key(one, {}, **none) != cache_key(other, {}, **none)


def test_a_package_named_as_the_application_s_own_has_a_say_in_the_cache_key() -> None:
    frames = (Frame("/usr/lib/python3/site-packages/lib/a.py", "lib.a", "f", 1),)
    one, other = event(exception=raised("a", frames=frames)), event(exception=raised("b", frames=frames))
    assert cache_key(one, {}) != cache_key(other, {})
    assert cache_key(one, {}, in_app=("lib",)) == cache_key(other, {}, in_app=("lib",))


def test_what_a_library_says_of_the_application_s_code_is_part_of_the_cache_key() -> None:
    place = {("/srv/shop/a.py", 3): CodeLocation("/srv/shop/a.py", 3, template="Order * failed", module="a")}
    seven, eight = (event(message=f"Order {number} failed") for number in (7, 8))
    assert cache_key(seven, place) == cache_key(eight, place)
    assert cache_key(seven, place, speakers=SPEAKERS) != cache_key(eight, place, speakers=SPEAKERS)


def test_a_message_has_no_cache_key() -> None:
    assert cache_key(event()) is None


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner, max_size=4)))
@settings(deadline=None)
def test_components_are_encoded_as_escaped_json(components: Any) -> None:
    expected = json.dumps(components, ensure_ascii=True, separators=(",", ":")).encode()
    assert rule1.encode(components) == expected


names = st.text(max_size=12) | st.sampled_from(
    ["<listcomp>", "__main__", "wrapper", "KeyError", "RecursionError"]
)
frames = st.builds(Frame, path=names, module=names, function=names, line=st.integers(-1, 9))
syntaxes = st.none() | st.builds(Syntax, names, names, names)
exceptions = st.recursive(
    st.builds(Raised, type=names, text=st.text(max_size=40), syntax=syntaxes, errno=st.none() | names,
              frames=st.lists(frames, max_size=6).map(tuple),
              recursive=st.lists(st.tuples(names, names), max_size=3).map(tuple)),
    lambda inner: st.builds(Raised, type=names, text=names, cause=st.none() | inner,
                            context=st.none() | inner,
                            group=st.lists(inner, max_size=3).map(tuple)),
    max_leaves=6,
)  # fmt: skip
printed = st.lists(
    st.sampled_from([
        "Traceback (most recent call last):\n", '  File "/a.py", line 3, in f\n', "    x = 1\n",
        "KeyError: 'k'\n",
        "  + Exception Group Traceback (most recent call last):\n",
        "  +-+---------------- 1 ----------------\n",
        "    | ValueError: x\n", "{", '{"event": "a"}', "\n", "  ^^^\n", traceback_text._CAUSED + "\n",
    ]),
    max_size=12,
).map("".join)  # fmt: skip
events = st.builds(
    Event, occurred_at=st.just(0.0), level=st.integers(0, 50), logger=names | st.just("py.warnings"),
    message=st.text(max_size=80) | printed, template=st.none() | names, path=names, module=names,
    function=names,
    line=st.integers(-1, 9), exception=st.none() | exceptions,
    fingerprint=st.none() | st.lists(names | st.just("{{ default }}"), max_size=3).map(tuple),
)  # fmt: skip


@given(events)
@settings(max_examples=150, deadline=None)
def test_any_event_has_a_signature_a_place_and_a_title(found: Event) -> None:
    signature = sign(found, {})
    assert signature == sign(found, {})
    assert signature.title
    assert len(signature.location) == 4
    hash(cache_key(found))


def test_a_chain_too_long_for_the_stack_is_signed() -> None:
    one = raised()
    for _ in range(20_000):
        one = Raised("E", "", (PRICE,), cause=one)
    assert sign(event(exception=one), PLACES).fine


def test_a_printed_exception_group_is_read_as_its_leaves() -> None:
    try:
        raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
    except ExceptionGroup:
        found = traceback_text.read(traceback.format_exc())
    assert found is not None
    assert [leaf.type for leaf in found.raised.group] == ["ValueError", "KeyError"]


def test_a_printed_syntax_error_names_the_broken_file() -> None:
    try:
        compile("x = = 1\n", "/srv/plug/a.py", "exec")
    except SyntaxError:
        found = sign(event(message=traceback.format_exc()), {})
    assert found.components[0] == "syntax"
    assert found.components[2:] == ["plug.a", "invalid syntax", "x = = 1"]
