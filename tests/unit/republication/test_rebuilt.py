"""How rebuilt messages are packed, and where an interrupted run goes on."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from neonblue.cli.republish import command, instant
from neonblue.contract.events import EVENT_COLUMNS
from neonblue.contract.limits import OUTBOX_ROW_BYTES
from neonblue.contract.outbox import Aggregate, Happening
from neonblue.reconciliation.compare import NOTHING, Bucket, Digest, Kind, unequal
from neonblue.republication import rebuilt
from neonblue.republication.rebuilt import AssignmentRow, LinkRow, Rebuilt, packed
from neonblue.republication.republish import go_on_from
from neonblue.republication.stored import Counted

AT = datetime(2026, 3, 1, 9, 30, 0, 250, tzinfo=UTC)
DAY = AT.date()


def event(number: int, filler: int) -> Rebuilt:
    identifier = str(UUID(int=number))
    properties = json.dumps({"filler": "x" * filler})
    told: dict[str, Any] = dict.fromkeys((column.name for column in EVENT_COLUMNS), None)
    told |= {"id": identifier, "day": DAY, "timestamp": AT, "user_id": "u", "unit_type": "user"}
    told |= {"event_type": "page_view", "value": "1.500000", "properties": properties}
    return rebuilt.event(AT, told.values())


@given(st.lists(st.integers(0, 60_000), max_size=30))
def test_rows_hold_every_message_in_order_and_no_more_than_a_row_may(fillers: list[int]) -> None:
    messages = [event(number, filler) for number, filler in enumerate(fillers)]

    rows = list(packed(Kind.EVENTS, messages, batch=True))

    read = [json.loads(row.payload) for row in rows]
    told = [one for row in read for one in (row if isinstance(row, list) else [row])]
    assert [one["id"] for one in told] == [one.message.id for one in messages]
    assert all(len(row.payload) <= OUTBOX_ROW_BYTES for row in rows)
    assert all(
        (row.aggregate_type is Aggregate.EVENT) == isinstance(one, dict)
        for row, one in zip(rows, read, strict=True)
    )


def test_without_batches_each_message_has_a_row() -> None:
    rows = list(packed(Kind.EVENTS, [event(1, 0), event(2, 0)], batch=False))

    assert [row.event_type for row in rows] == [Happening.EVENT_CREATED] * 2


def test_links_have_a_row_each() -> None:
    rows = list(
        packed(Kind.LINKS, [rebuilt.link(LinkRow("user", f"a{n}", "u", AT)) for n in range(2)], batch=True)
    )

    assert [(row.aggregate_type, row.aggregate_id) for row in rows] == [
        (Aggregate.USER_LINK, "a0"),
        (Aggregate.USER_LINK, "a1"),
    ]
    assert json.loads(rows[0].payload)["linked_at"] == "2026-03-01T09:30:00.000250Z"


def test_an_assignment_of_an_older_version_was_received_when_it_was_assigned() -> None:
    one = rebuilt.assignment(AssignmentRow(7, "user", "u", "a", 1, AT, None, None))

    told = json.loads(one.message.payload)
    assert (one.accepted_at, told["received_at"], told["attributes"]) == (AT, told["assigned_at"], None)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
            lambda days: Counted(DAY + timedelta(days=days[0]), DAY, 1, AT + timedelta(days=days[1]))
        ),
        max_size=12,
    )
)
def test_nothing_that_was_accepted_before_the_place_to_go_on_from_is_still_to_come(
    counted: list[Counted],
) -> None:
    days = go_on_from(counted)

    assert [day for day, _ in days] == sorted({one.partition for one in counted if one.partition})
    for day, first in days:
        to_come = [one.first for one in counted if one.partition is not None and one.partition >= day]
        assert first == min(to_come)


def test_what_is_to_go_on_with_is_a_command() -> None:
    assert command(AT, None, [Kind.EVENTS]) == (
        "neonblue republish --from 2026-03-01T09:30:00.000250Z --kind events"
    )
    assert command(None, None, []) == "neonblue republish"


def test_times_are_of_utc_and_days_begin_with_midnight() -> None:
    assert instant("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert instant("2026-03-01T10:30:00+01:00") == instant("2026-03-01T09:30:00Z")
    with pytest.raises(typer.BadParameter, match="2026-03-01T09:30:00Z"):
        instant("yesterday")


def test_a_bucket_that_the_first_store_does_not_have_needs_no_message() -> None:
    here, there = Bucket(date(2026, 3, 1), 1), Bucket(date(2026, 3, 1), 2)
    same = Bucket(date(2026, 3, 1), 3)
    digest = Digest(1, 2)

    assert list(unequal({here: digest, same: digest}, {there: digest, same: digest, here: NOTHING})) == [
        [here]
    ]
