"""What is answered is counted once, in its hour, whatever becomes of the writing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.demand.counts import EXPOSURE, Counts, Row
from neonblue.bucketing import Reason
from neonblue.contract.answers import AssignmentAnswer, Status
from neonblue.contract.codes import Code

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HOUR = datetime(2026, 3, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def answer(experiment_id: int | None = 1, variant: str | None = "a", **fields: Any) -> AssignmentAnswer:
    known = {"version": 1, "assigned_at": None, "created": False}
    return AssignmentAnswer(
        experiment="e", user_id="u", experiment_id=experiment_id, variant_key=variant, **known | fields
    )


def taken(counts: Counts, now: datetime = AT) -> list[Row]:
    counts.sweep(now)
    return counts.take(1_000)


def test_equal_answers_are_one_row() -> None:
    counts = Counts()
    counts.sweep(AT)
    for _ in range(3):
        counts.answered(answer())

    assert taken(counts, AT + 5 * SECOND) == [Row(1, HOUR, "a", "assigned", 3, AT, AT + 5 * SECOND)]


def test_experiments_variants_and_reasons_are_rows_of_their_own() -> None:
    counts = Counts()
    for given_answer in (
        answer(1, "a"),
        answer(1, "b"),
        answer(2, "a"),
        answer(2, "a", reason=Reason.PAUSED),
        answer(2, None, reason="holdout"),
    ):
        counts.answered(given_answer)
    counts.exposed(1, "b")
    counts.exposed(1, None)

    rows = taken(counts)

    assert [(row.experiment_id, row.variant_key, row.reason, row.count) for row in rows] == [
        (1, "", EXPOSURE, 1),
        (1, "a", "assigned", 1),
        (1, "b", "assigned", 1),
        (1, "b", EXPOSURE, 1),
        (2, "", "holdout", 1),
        (2, "a", "assigned", 1),
        (2, "a", "paused", 1),
    ]


def test_a_reason_counts_alike_as_a_word_and_as_a_text() -> None:
    counts = Counts()
    counts.answered(answer(reason=Reason.DRAFT))
    counts.answered(answer(reason="draft"))
    counts.answered(answer(reason=Reason.ASSIGNED))
    counts.answered(answer())

    assert [(row.reason, row.count) for row in taken(counts)] == [("assigned", 2), ("draft", 2)]


def test_what_broke_a_rule_is_not_counted() -> None:
    counts = Counts()
    counts.answered(answer(None, None, status=Status.REJECTED, code=Code.UNKNOWN_EXPERIMENT))
    counts.answered(answer(1, "a", status=Status.REJECTED, code=Code.ASSIGNMENT_CONFLICT))

    assert not counts
    assert taken(counts) == []


def test_an_answer_counts_in_the_hour_in_which_most_of_its_interval_lies() -> None:
    counts = Counts()
    hours = []
    counts.sweep(HOUR + timedelta(minutes=59, seconds=50))
    for seconds in (55, 59.99, 64.99, 3600):
        counts.answered(answer())
        counts.sweep(HOUR + timedelta(minutes=59) + seconds * SECOND)
        (row,) = counts.take(10)
        counts.settle(written=True)
        hours.append(row.hour.hour)

    assert hours == [9, 9, 10, 10]


def test_a_clock_that_goes_back_gives_no_interval_the_wrong_way_round() -> None:
    counts = Counts()
    counts.sweep(AT)
    counts.answered(answer())

    (row,) = taken(counts, AT - timedelta(hours=2))

    assert row.first_at == row.last_at == AT - timedelta(hours=2)


def test_what_is_taken_is_held_until_it_is_written() -> None:
    counts = Counts()
    counts.answered(answer(1))
    counts.answered(answer(2))
    counts.exposed(1, "a")
    assert counts.held(1) == 2
    counts.sweep(AT)
    assert counts.held(1) == 2
    counts.take(1_000)
    assert (counts.held(1), counts.held(2), counts.total) == (2, 1, 3)
    counts.settle(written=True)
    assert (counts.held(1), counts.held(2), counts.total, bool(counts)) == (0, 0, 0, False)


def test_beyond_the_most_rows_known_places_still_count_and_others_are_lost_and_told() -> None:
    counts = Counts(most_rows=2)
    for number in (1, 2, 3, 3):
        counts.answered(answer(number))
    counts.sweep(AT)
    counts.answered(answer(1))

    rows = taken(counts, AT + SECOND)

    assert [(row.experiment_id, row.count) for row in rows] == [(1, 2), (2, 1)]
    assert counts.lost == 2


ANSWERS = st.tuples(
    st.integers(1, 3), st.sampled_from(["a", "b", None]), st.sampled_from([None, "paused", Reason.PAUSED])
)
STEPS = st.lists(
    st.one_of(
        ANSWERS,
        st.integers(0, 4_000).map(lambda seconds: ("sweep", seconds)),
        st.tuples(st.just("write"), st.integers(1, 5), st.booleans()),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_is_lost_or_counted_twice_whatever_fails_and_when(steps: list[tuple[Any, ...]]) -> None:
    counts, now = Counts(), AT
    asked: Counter[tuple[int, str, str]] = Counter()
    stored: Counter[tuple[int, str, str]] = Counter()
    for step in steps:
        if step[0] == "sweep":
            now += step[1] * SECOND
            counts.sweep(now)
        elif step[0] == "write":
            rows = counts.take(step[1])
            assert len({row.place for row in rows}) == len(rows) <= step[1]
            assert all(row.first_at <= row.last_at <= now for row in rows)
            if step[2]:
                for row in rows:
                    stored[row.experiment_id, row.variant_key, row.reason] += row.count
            counts.settle(written=step[2])
        else:
            number, variant, reason = step
            counts.answered(answer(number, variant, reason=reason))
            asked[number, variant or "", "paused" if reason else "assigned"] += 1

    for number in (1, 2, 3):
        done = sum(count for kind, count in stored.items() if kind[0] == number)
        assert done + counts.held(number) == sum(count for kind, count in asked.items() if kind[0] == number)
    for row in taken(counts, now):
        stored[row.experiment_id, row.variant_key, row.reason] += row.count
    assert stored == asked
    assert counts.lost == 0
