from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from operator import xor
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from neonblue.reconciliation.compare import LISTED_IDS, Bucket, Digest, compare, grouped

DAY = date(2025, 7, 1)
Rows = dict[tuple[date, UUID], Decimal]
rows = st.dictionaries(
    st.tuples(
        st.sampled_from([DAY, DAY + timedelta(days=1)]), st.integers(0, 300).map(lambda n: UUID(int=n))
    ),
    st.decimals(0, 10, places=2),
    max_size=40,
)


def digests(stored: Rows) -> dict[Bucket, Digest]:
    made: dict[Bucket, list[tuple[UUID, Decimal]]] = {}
    for (day, key), value in stored.items():
        made.setdefault(Bucket(day, key.bytes[15]), []).append((key, value))
    return {
        bucket: Digest(
            len(held),
            reduce(xor, (int.from_bytes(hashlib.md5(key.bytes).digest()[:8], "big") for key, _ in held)),
            sum((value for _, value in held), Decimal(0)),
        )
        for bucket, held in made.items()
    }


def reader(stored: Rows) -> Callable[[Sequence[Bucket]], set[str]]:
    def read(buckets: Sequence[Bucket]) -> set[str]:
        return {str(key) for day, key in stored if Bucket(day, key.bytes[15]) in buckets}

    return read


@given(accepted=rows, present=rows)
def test_the_counts_are_those_of_the_sets(accepted: Rows, present: Rows) -> None:
    result = compare(digests(accepted), digests(present), reader(accepted), reader(present))

    total = result.total
    assert (total.accepted, total.present) == (len(accepted), len(present))
    assert total.missing == len(accepted.keys() - present.keys())
    assert total.unexpected == len(present.keys() - accepted.keys())
    if accepted.keys() != present.keys():
        assert not total.agree
    if accepted == present:
        assert total.agree


@given(stored=rows)
def test_equal_stores_agree_and_no_id_is_read(stored: Rows) -> None:
    def unread(buckets: Sequence[Bucket]) -> set[str]:
        raise AssertionError("equal digests need no ids")

    assert compare(digests(stored), digests(stored), unread, unread).total.agree


def test_ids_that_cancel_out_in_a_plain_exclusive_or_are_told_apart() -> None:
    # 1 ^ 2 == 0 ^ 3 in every bit of the ids, and the counts are equal.
    left = {(DAY, UUID(int=number << 8)): Decimal(0) for number in (1, 2)}
    right = {(DAY, UUID(int=number << 8)): Decimal(0) for number in (0, 3)}

    total = compare(digests(left), digests(right), reader(left), reader(right)).total

    assert (total.missing, total.unexpected) == (2, 2)


def test_a_changed_value_is_noticed() -> None:
    left = {(DAY, UUID(int=1)): Decimal("1.10")}
    right = {(DAY, UUID(int=1)): Decimal("1.11")}

    total = compare(digests(left), digests(right), reader(left), reader(right)).total

    assert (total.missing, total.unexpected, total.altered) == (0, 0, 1)
    assert not total.agree


def test_days_that_the_source_dropped_are_not_unexpected() -> None:
    old = {(DAY, UUID(int=1)): Decimal(0)}
    new = {(DAY + timedelta(days=1), UUID(int=2)): Decimal(0)}

    result = compare(
        {}, digests(old | new), reader({}), reader(old | new), {DAY + timedelta(days=1)}.__contains__
    )

    assert (result.retired, result.total.unexpected) == (1, 1)


def test_the_listing_is_bounded_and_the_count_is_not() -> None:
    stored = {(DAY, UUID(int=number)): Decimal(0) for number in range(1_000)}

    result = compare(digests(stored), {}, reader(stored), reader({}))

    assert result.total.missing == 1_000
    assert len(result.missing_ids) == LISTED_IDS


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 255)), unique=True), st.integers(1, 900))
def test_groups_are_of_one_day_complete_and_bounded(places: list[tuple[int, int]], limit: int) -> None:
    buckets = sorted(Bucket(DAY + timedelta(days=day), byte) for day, byte in places)
    sizes = {bucket: bucket.byte for bucket in buckets}

    groups = list(grouped(buckets, sizes, rows=limit))

    assert [bucket for group in groups for bucket in group] == buckets
    assert all(len({bucket.day for bucket in group}) == 1 for group in groups)
    assert all(len(group) == 1 or sum(sizes[bucket] for bucket in group) <= limit for group in groups)


@given(accepted=rows, present=rows)
def test_of_a_day_that_is_not_kept_whole_only_what_was_accepted_is_missed(
    accepted: Rows, present: Rows
) -> None:
    result = compare(
        digests(accepted), digests(present), reader(accepted), reader(present), lambda day: day != DAY
    )

    own = {key for key in accepted if key[0] == DAY}
    kept = {key for key in present if key[0] != DAY}
    assert result.total.missing == len(accepted.keys() - present.keys())
    assert result.total.unexpected == len(kept - accepted.keys())
    assert result.retired == len(present.keys() - kept - own)
    assert result.total.present + result.retired == len(present)
