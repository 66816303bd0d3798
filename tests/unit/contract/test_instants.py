"""Equal times are equal texts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neonblue.contract.instants import format_instant, parse_instant


@given(
    st.datetimes(
        timezones=st.timezones(no_cache=True),
        min_value=datetime(2, 1, 1),  # noqa: DTZ001
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001
    )
)
@example(datetime(2026, 3, 1, tzinfo=UTC))
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
def test_a_time_is_written_in_utc_with_six_places(instant: datetime) -> None:
    text = format_instant(instant)
    assert text == f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")
    assert parse_instant(text) == instant.astimezone(UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        format_instant(datetime(2026, 3, 1))  # noqa: DTZ001
