"""Many calls, few entries: whoever calls, and however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.audit.summary import OTHERS, Action, Kind, Summary

START = datetime(2026, 3, 1, tzinfo=UTC)
BOUND = 1_000

tokens = st.none() | st.integers(1, 200)
kinds = st.builds(
    Kind,
    action=st.sampled_from(Action),
    route=st.integers(0, 200).map("GET /v1/{}".format),
    token=tokens,
    status=st.sampled_from([200, 401, 403, 429]),
)
calls = st.lists(st.tuples(kinds, st.integers(0, 300).map("10.0.0.{}".format)), max_size=60)


def refusal(token: int | None, route: str = "GET /v1/experiments") -> Kind:
    return Kind(Action.REFUSED_CALLS, route, token, status=403, code="insufficient_scope")


def test_calls_of_one_kind_are_one_entry_with_its_first_and_last() -> None:
    summary = Summary()
    for second in (3, 1, 2):
        summary.add(refusal(7), START + timedelta(seconds=second), "10.0.0.1")

    ((kind, count),) = summary.take()

    assert (kind, count.calls, count.address) == (refusal(7), 3, "10.0.0.1")
    assert (count.last - count.first).total_seconds() == 2
    assert summary.take() == []


def test_a_tokens_calls_from_several_addresses_name_none() -> None:
    summary = Summary()
    summary.add(refusal(7), START, "10.0.0.1")
    summary.add(refusal(7), START, "10.0.0.2")

    assert [count.address for _, count in summary.take()] == [None]


def test_strangers_are_told_apart_by_their_address() -> None:
    summary = Summary()
    summary.add(refusal(None), START, "10.0.0.1")
    summary.add(refusal(None), START, "10.0.0.2")

    assert [count.address for _, count in summary.take()] == ["10.0.0.1", "10.0.0.2"]


def test_a_flood_from_many_addresses_leaves_known_callers_their_entries() -> None:
    summary = Summary()
    for number in range(10_000):
        summary.add(refusal(None), START, f"address {number}")
    summary.add(refusal(7), START, "10.0.0.1")

    found = summary.take()

    assert len(found) < 100
    assert sum(count.calls for _, count in found) == 10_001
    assert refusal(7) in [kind for kind, _ in found]


def test_one_token_that_tries_everything_leaves_others_their_entries() -> None:
    summary = Summary()
    for number in range(5_000):
        summary.add(refusal(1, f"GET /v1/{number}"), START, None)
    summary.add(refusal(2), START, None)

    found = dict(summary.take())

    assert len(found) < 100
    assert refusal(2) in found
    assert found[Kind(Action.REFUSED_CALLS, OTHERS, 1)].calls > 4_900


@given(calls)
def test_no_call_is_lost_and_the_entries_are_bounded(given_calls: list[tuple[Kind, str]]) -> None:
    summary = Summary()
    for kind, address in given_calls * 20:
        summary.add(kind, START, address)

    assert summary.calls == 20 * len(given_calls)
    taken = summary.take()
    assert len(taken) <= BOUND
    assert sum(count.calls for _, count in taken) == 20 * len(given_calls)


def test_entries_stay_bounded_whatever_tokens_and_routes_there_are() -> None:
    summary = Summary()
    for token in range(100):
        for number in range(60):
            summary.add(refusal(token, f"GET /v1/{number}"), START, f"address {number}")
            summary.add(refusal(None, f"GET /v1/{number}"), START, f"address {number}")

    assert summary.calls == 12_000
    assert len(summary.take()) <= BOUND


def test_what_could_not_be_written_is_counted_on() -> None:
    summary = Summary()
    summary.add(refusal(7), START, "10.0.0.1")
    taken = summary.take()
    summary.add(refusal(7), START + timedelta(minutes=1), "10.0.0.1")
    summary.put_back(taken)

    ((_, count),) = summary.take()
    assert (count.calls, count.last - count.first) == (2, timedelta(minutes=1))
