"""The jobs on a generated history: models, tests of significance, decisions, back-fills, drawings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dagster import AssetKey, AssetSelection, DagsterInstance, Definitions, ExecuteInProcessResult

from neonblue.settings import Settings
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import load
from orchestration.definitions import build
from orchestration.defs.significance.sampling import differences, sample_metric
from orchestration.partitions import today
from tests.integration.dbt_project.raw import small_plan
from tests.integration.orchestration.conftest import Analysis

pytestmark = pytest.mark.timeout(600)
HISTORY = History(small_plan(3))
KEYS = tuple(design.key for design in HISTORY.plan.designs())
STORES = AssetSelection.groups("staging", "intermediate", "marts", "live")


@pytest.fixture
def definitions(analysis: Analysis) -> Definitions:
    return build(Settings.load())


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("experiments", list(KEYS))
        yield instance


def fill(analysis: Analysis) -> None:
    load(analysis.client, HISTORY)


def run_everything(definitions: Definitions, instance: DagsterInstance) -> ExecuteInProcessResult:
    """The hourly job without what asks PostgreSQL and Kafka: neither runs here."""
    graph = definitions.resolve_asset_graph()
    return definitions.resolve_job_def("everything").execute_in_process(
        instance=instance,
        partition_key=today(datetime.now(UTC)),
        asset_selection=[*STORES.resolve(graph), AssetKey("significance_tests")],
    )


def test_the_hourly_job_builds_and_tests_and_its_results_lead_to_decisions(
    analysis: Analysis, definitions: Definitions, instance: DagsterInstance
) -> None:
    fill(analysis)

    assert run_everything(definitions, instance).success

    results = analysis.client.query(
        "SELECT experiment_key, metric_key, n_control + n_variant FROM experiment_results ORDER BY 1, 2"
    ).result_rows
    moments = analysis.client.query(
        "SELECT experiment_key, metric_key, sum(n) FROM metric_moments INNER JOIN stg_experiments "
        "USING (experiment_id) GROUP BY ALL ORDER BY 1, 2"
    ).result_rows
    assert results == moments

    # Days that were built because rows touched them, although the run was another day's.
    built = instance.get_materialized_partitions(AssetKey("daily_metrics"))
    days = {
        str(day) for (day,) in analysis.client.query("SELECT DISTINCT date FROM daily_metrics").result_rows
    }
    assert days <= built

    for job, tags in (
        (
            "decisions",
            {
                "dagster/asset_partition_range_start": KEYS[0],
                "dagster/asset_partition_range_end": KEYS[-1],
            },
        ),
        ("weekly_report", {}),
        ("calibration", {}),
    ):
        assert definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags).success
    reports = definitions.resolve_job_def("reports").execute_in_process(
        instance=instance, partition_key=KEYS[0]
    )
    assert reports.success
    decided = analysis.client.query("SELECT DISTINCT experiment_key FROM experiment_decisions").result_rows
    assert sorted(key for (key,) in decided) == sorted(KEYS)
    drawn = analysis.client.query("SELECT count(), countIf(calibrated) FROM randomization_rates").result_rows
    assert drawn[0][0] > 0
    assert drawn[0][0] == drawn[0][1]


def test_chosen_partitions_rebuild_exactly_those_days(
    analysis: Analysis, definitions: Definitions, instance: DagsterInstance
) -> None:
    fill(analysis)
    assert run_everything(definitions, instance).success
    before = datetime.now(UTC)
    day = str(analysis.client.query("SELECT min(date) FROM daily_metrics").result_rows[0][0])

    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, partition_key=day, asset_selection=[AssetKey("daily_metrics")]
    )

    assert result.success
    found = analysis.client.query(
        "SELECT model, toString(day) FROM partition_builds WHERE built_at >= {since:DateTime64(3, 'UTC')}",
        parameters={"since": before},
    ).result_rows
    assert found == [("daily_metrics", day)]


def test_a_value_that_its_raw_events_do_not_give_is_found(
    analysis: Analysis, definitions: Definitions, instance: DagsterInstance
) -> None:
    fill(analysis)
    assert run_everything(definitions, instance).success
    sample = sample_metric(analysis.client, "a seed")
    assert sample is not None

    later = datetime.now(UTC) + timedelta(days=1)
    units, found = differences(analysis.client, *sample, later, "a seed")
    analysis.client.command(
        "ALTER TABLE unit_metric_values UPDATE value_decimal = value_decimal + 1 WHERE 1 "
        "SETTINGS mutations_sync = 2"
    )
    _, broken = differences(analysis.client, *sample, later, "a seed")

    assert units > 100
    assert found == []
    assert len(broken) == units
