"""Slots of a layer: given out without overlap, and refused only where there is no room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.layers.slots import Slots, find_slots, free_slots

shares = st.lists(st.integers(1, 4_000), max_size=30)
orders = st.randoms(use_true_random=False)


@given(shares, orders)
def test_slots_never_overlap_whatever_is_asked_for_and_given_back(asked: list[int], order: object) -> None:
    taken: list[Slots] = []
    for n, share in enumerate(asked):
        found = find_slots(taken, share)
        if found is None:
            assert all(gap.share < share for gap in free_slots(taken))
            continue
        assert found.share == share
        assert all(found.end <= other.start or other.end <= found.start for other in taken)
        taken.append(found)
        if n % 3 == 2:
            order.shuffle(taken)  # type: ignore[attr-defined]
            taken.pop()


@given(shares)
def test_what_is_free_and_what_is_taken_make_the_whole_layer(asked: list[int]) -> None:
    taken = []
    for share in asked:
        found = find_slots(taken, share)
        if found is not None:
            taken.append(found)
    assert sum(part.share for part in [*taken, *free_slots(taken)]) == 10_000


def test_the_smallest_gap_that_holds_it_is_taken_so_that_large_ones_stay() -> None:
    taken = [Slots(1_000, 2_000), Slots(2_500, 10_000)]
    assert find_slots(taken, 500) == Slots(2_000, 2_500)
    assert find_slots(taken, 501) == Slots(0, 501)


def test_room_in_pieces_is_no_room() -> None:
    taken = [Slots(1_000, 5_000), Slots(6_000, 10_000)]
    assert find_slots(taken, 1_001) is None


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (0, 10_001)])
def test_slots_outside_a_layer_can_not_be_made(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="slots"):
        Slots(start, end)
