"""What is remembered per session never differs from what `sign` says: the rule and its keys agree."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from tocsin.daemon.grouping.sign import cache_key, sign
from tocsin.daemon.grouping.signatures import Signatures
from tocsin.handler.protocol.event import CodeLocation, Event, Frame, Raised, Syntax
from tocsin.handler.protocol.wire import encode_record

# Small alphabets: what differs in one fact only must come up, and come up again.
PATHS = st.sampled_from(["/srv/shop/a.py", "/usr/lib/python3.11/json/decoder.py", "<string>", ""])
LINES = st.integers(0, 1)
NAMES = st.sampled_from(["a", "wrapper", "__main__", "<listcomp>"])
TEXTS = st.sampled_from([
    "Order 7 failed", "Order failed", "7", "", '{"event": "paid twice"}', "Traceback (most recent call last)",
    'Traceback (most recent call last):\n  File "/srv/shop/a.py", line 1, in a\n    x()\nKeyError: 1',
    "/srv/x.py:12: UserWarning: disk nearly full",
])  # fmt: skip
TYPES = st.sampled_from(["KeyError", "OSError", "RecursionError", "builtins.KeyError", "x.RemoteTraceback"])
FRAMES = st.lists(st.builds(Frame, PATHS, NAMES, NAMES, LINES), max_size=2).map(tuple)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=1).map(tuple)
SYNTAX = st.none() | st.builds(Syntax, PATHS, TEXTS, TEXTS)
ERRNO = st.sampled_from([None, "ENOENT"])
LEAF = st.builds(Raised, type=TYPES, text=TEXTS, frames=FRAMES, errno=ERRNO, syntax=SYNTAX, recursive=PAIRS)
RAISED = st.builds(
    Raised, type=TYPES, text=TEXTS, frames=FRAMES, errno=ERRNO, cause=st.none() | LEAF,
    group=st.lists(LEAF, max_size=2).map(tuple),
) | LEAF | st.builds(Raised, type=TYPES, text=TEXTS, frames=FRAMES)  # fmt: skip
EVENTS = st.builds(
    Event, occurred_at=st.just(0.0), level=st.just(40),
    logger=st.sampled_from(["shop", "py.warnings", "asyncio"]),
    message=TEXTS, template=st.sampled_from([None, "Order %s failed", "%s"]), path=PATHS, module=NAMES,
    function=NAMES, line=LINES, exception=st.one_of(st.none(), st.none(), st.none(), RAISED),
    fingerprint=st.sampled_from([None, ("own",), ("{{ default }}", "x")]),
)  # fmt: skip
PLACES = st.builds(
    CodeLocation, PATHS, LINES, st.sampled_from([None, "x=1"]),
    st.sampled_from([None, "Order * failed", "*"]), st.booleans(), module=st.sampled_from(["", "shop.a"]),
)  # fmt: skip
FACTS = ("logger", "message", "template", "path", "module", "function", "line", "exception", "fingerprint")


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Event, Event]:
    """Two events that differ in at most two facts: what a key forgets shows in such pairs."""
    one, other = draw(EVENTS), draw(EVENTS)
    names = draw(st.lists(st.sampled_from(FACTS), max_size=2))
    changed = {name: getattr(other, name) for name in names}
    raised = one.exception
    if raised is not None and other.exception is not None and draw(st.booleans()):
        fields = draw(st.lists(st.sampled_from(Raised.__struct_fields__), max_size=1))
        changed["exception"] = replace(raised, **{name: getattr(other.exception, name) for name in fields})
    return one, replace(one, **changed)


LOCATIONS = st.lists(PLACES, max_size=4)


@given(st.lists(st.tuples(LOCATIONS, st.lists(neighbours(), max_size=4)), max_size=3))
@settings(max_examples=200, deadline=None)
def test_what_is_remembered_is_what_the_rule_says(
    batches: list[tuple[list[CodeLocation], list[tuple[Event, Event]]]],
) -> None:
    signatures, known = Signatures(), dict[tuple[str, int], CodeLocation]()
    for locations, pairs in batches:
        # A batch brings all that is known of the code its events name.
        known |= {(place.path, place.line): place for place in locations}
        told = signatures.tell("s", [Raw(encode_record(one)) for one in known.values()])
        for event in [event for pair in pairs for event in pair]:
            remembered, said = signatures.of("s", event, told), sign(event, told)
            assert (remembered.fine, remembered.coarse) == (said.fine, said.coarse)


@given(neighbours(), LOCATIONS)
@settings(max_examples=1000, deadline=None)
def test_equal_keys_mean_equal_signatures(pair: tuple[Event, Event], locations: list[CodeLocation]) -> None:
    one, other = pair
    places = {(place.path, place.line): place for place in locations}
    for known in (places, None):
        key = cache_key(one, known)
        if key is not None and key == cache_key(other, known):
            assert sign(one, places).fine == sign(other, places).fine
