"""What events add up to."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin.daemon.ingest.tally import merged_moments, thin

moments = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=60).map(sorted)


@given(moments, st.integers(1, 30))
def test_thinning_leaves_the_asked_number_with_the_first_and_the_newest(found, keep):
    dropped = thin(found, keep)
    left = [m for i, m in enumerate(found) if i not in dropped]
    assert len(left) == min(keep, len(found))
    assert left[-1] == found[-1]
    if keep > 1:
        assert left[0] == found[0]


def test_thinning_drops_from_the_crowd_not_from_the_lonely():
    assert thin([0.0, 100.0, 101.0, 102.0, 500.0, 900.0], 5) in ([1], [2], [3])


@given(moments, moments)
def test_moments_known_and_added_are_told_in_order(known, added):
    merged = merged_moments([[m, ""] for m in known], [(m, "") for m in added])
    assert [m for m, _ in merged] == sorted(known + added)
