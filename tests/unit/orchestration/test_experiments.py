"""Which experiments have partitions, runs and final reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from dagster import AssetMaterialization, DagsterInstance, RunRequest, SkipReason, build_schedule_context
from hypothesis import given
from hypothesis import strategies as st

from neonblue.contract.messages import ExperimentMessage, VariantMessage
from orchestration.defs.experiments.changes import final_reports, partition_changes, stops_undecided
from orchestration.defs.experiments.schedules import daily_reports, has_results, hourly_decisions, request_for

CONCLUDED_AT = "2026-03-01T12:00:00.000000Z"
STATUSES = ("draft", "scheduled", "running", "paused", "concluded", "archived")


def experiment(key: str, status: str, **fields: Any) -> ExperimentMessage:
    return ExperimentMessage(
        experiment_id=1,
        key=key,
        source="internal",
        unit_type="user",
        population="exposed",
        status=status,
        version=3,
        salt="s",
        allocation=10_000,
        variants=[
            VariantMessage(key="control", weight=1, is_control=True),
            VariantMessage(key="b", weight=1),
        ],
        metrics=[],
        received_at=CONCLUDED_AT,
        **fields,
    )


def test_an_experiment_has_a_partition_from_its_start_until_it_is_archived() -> None:
    changes = partition_changes(
        {"old", "running"},
        [experiment(status, status) for status in STATUSES] + [experiment("old", "archived")],
    )

    assert changes.added == ["paused", "concluded"]
    assert changes.dropped == ["old"]


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from(STATUSES), max_size=6),
    st.sets(st.text(max_size=3)),
)
def test_changes_lead_to_partitions_in_step(statuses: dict[str, str], present: set[str]) -> None:
    newest = [experiment(key, status) for key, status in statuses.items()]
    changes = partition_changes(present, newest)
    after = (present | set(changes.added)) - set(changes.dropped)

    assert partition_changes(after, newest).added == []
    assert partition_changes(after, newest).dropped == []


def test_a_final_report_waits_for_results_computed_after_the_end() -> None:
    concluded = experiment("checkout", "concluded", concluded_at=CONCLUDED_AT)

    assert final_reports([concluded], None) == []
    assert final_reports([concluded], datetime(2026, 3, 1, 11, tzinfo=UTC)) == []
    assert [key for key, _ in final_reports([concluded], datetime(2026, 3, 1, 13, tzinfo=UTC))] == [
        "checkout"
    ]


def test_each_conclusion_has_a_name_of_its_own() -> None:
    later = datetime(2026, 5, 1, tzinfo=UTC)
    first = final_reports([experiment("a", "concluded", concluded_at=CONCLUDED_AT)], later)
    again = final_reports([experiment("a", "concluded", concluded_at="2026-04-01T12:00:00Z")], later)

    assert first[0][1] != again[0][1]


def test_all_experiments_share_one_run() -> None:
    nothing, one, many = request_for([]), request_for(["a"]), request_for(["a", "b", "c"])

    assert isinstance(nothing, SkipReason)
    assert isinstance(one, RunRequest)
    assert one.partition_key == "a"
    assert isinstance(many, RunRequest)
    assert many.tags == {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}


def test_decisions_and_reports_wait_for_the_first_build_to_finish() -> None:
    with DagsterInstance.local_temp() as instance, build_schedule_context(instance) as context:
        instance.add_dynamic_partitions("experiments", ["checkout"])
        before = [schedule(context) for schedule in (hourly_decisions, daily_reports)]
        waiting = has_results(context)
        instance.report_runless_asset_event(AssetMaterialization("significance_tests"))
        after = [schedule(context) for schedule in (hourly_decisions, daily_reports)]

        assert before == [SkipReason("no build has finished yet")] * 2
        assert not waiting
        assert has_results(context)
    assert [request.partition_key for request in after] == ["checkout", "checkout"]


STOP = "2026-03-05T12:00:00.000000Z"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
AT_STOP = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("source", ["internal", "external"])
@pytest.mark.parametrize(
    ("before", "near"),
    [
        (timedelta(days=1, seconds=1), False),
        (timedelta(days=1), True),
        (timedelta(seconds=1), True),
        (timedelta(), False),
    ],
)
def test_of_a_scheduled_stop_people_are_told_within_the_day_before_it_while_it_will_come(
    status: str, source: str, before: timedelta, near: bool
) -> None:
    stops = msgspec.structs.replace(experiment("checkout", status), source=source, scheduled_stop_at=STOP)
    told = stops_undecided([stops, experiment("without", "running")], AT_STOP - before)

    due = near and status in ("running", "paused") and source == "internal"
    assert [alert.subject for alert in told] == [f"stop/checkout/{STOP}"] * due
    assert all("everybody is served the control" in alert.body for alert in told)
