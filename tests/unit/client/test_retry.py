from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.client.retry import RetryPolicy, parse_retry_after, repeatable


@given(attempts=st.integers(1, 40), draw=st.floats(0, 1))
def test_waits_are_bounded_and_one_fewer_than_the_attempts(attempts: int, draw: float) -> None:
    policy = RetryPolicy(attempts=attempts, base_seconds=0.1, cap_seconds=2, draw=lambda: draw)

    waits = list(policy.waits())

    assert len(waits) == attempts - 1
    assert all(0 <= wait <= 2 for wait in waits)


def test_the_bound_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy(attempts=6, base_seconds=1, cap_seconds=5, draw=lambda: 1.0)

    assert list(policy.waits()) == [1, 2, 4, 5, 5]


def test_the_servers_wait_is_a_lower_bound_but_not_a_trap() -> None:
    policy = RetryPolicy(longest_retry_after=60)

    assert policy.wait(0.5, 7) == 7.5
    assert policy.wait(0.5, 86_400) == 60.5
    assert policy.wait(0.5, None) == 0.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.25", 0.25),
        ("-4", 0.0),
        ("Tue, 01 Jul 2025 10:00:30 GMT", 30.0),
        ("Tue, 01 Jul 2025 09:00:00 GMT", 0.0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, now=datetime(2025, 7, 1, 10, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("status", "idempotent", "expected"),
    [(503, False, True), (429, False, True), (500, False, False), (500, True, True), (422, True, False)],
)
def test_only_what_cannot_be_stored_twice_is_repeated(status: int, idempotent: bool, expected: bool) -> None:
    assert repeatable(status, idempotent=idempotent) is expected
