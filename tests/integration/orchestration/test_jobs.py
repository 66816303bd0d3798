"""The jobs on a generated history: models, tests of significance, decisions, back-fills, drawings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from dagster import AssetKey, AssetSelection, DagsterInstance, Definitions, ExecuteInProcessResult

from neonblue.settings import Settings
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import load
from neonblue.simulation.history.plan import metrics
from orchestration.definitions import build
from orchestration.defs.significance.recompute import can_recompute
from orchestration.defs.significance.repository import read_configurations
from orchestration.defs.significance.sampling import differences
from orchestration.partitions import today
from tests.integration.api.conftest import TOKEN
from tests.integration.dbt_project.raw import small_plan
from tests.integration.orchestration.conftest import Analysis
from tests.integration.results.conftest import database, serving

__all__ = ["database"]

pytestmark = pytest.mark.timeout(600)
# Units enough for the drawings: in each experiment some 300 are analysed.
HISTORY = History(replace(small_plan(3), users=900, events=18_000))
KEYS = tuple(design.key for design in HISTORY.plan.designs())
STORES = AssetSelection.groups("staging", "intermediate", "marts", "live")


@dataclass
class Built:
    """The history with everything that the hourly job makes of it."""

    analysis: Analysis
    definitions: Definitions
    instance: DagsterInstance
    run: ExecuteInProcessResult

    def execute(self, job: str, keys: tuple[str, ...] = ()) -> ExecuteInProcessResult:
        """A job over the experiments' partitions."""
        names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        tags = dict(zip(names, (keys[0], keys[-1]), strict=True)) if keys else {}
        return self.definitions.resolve_job_def(job).execute_in_process(instance=self.instance, tags=tags)


@pytest.fixture(scope="module")
def built(server: Analysis, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Without what asks Kafka, which does not run here. No look is kept of the experiments of a history."""
    folder = tmp_path_factory.mktemp("api")
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        DagsterInstance.ephemeral() as instance,
        serving(database, folder, {}) as api,
    ):
        server.lead_here(monkeypatch)
        monkeypatch.setenv("NEONBLUE_POSTGRES_URL", database)
        monkeypatch.setenv("NEONBLUE_API_PORT", str(api.base_url.port))
        monkeypatch.setenv("NEONBLUE_API_TOKEN", TOKEN)
        server.empty()
        load(server.client, HISTORY)
        instance.add_dynamic_partitions("experiments", list(KEYS))
        definitions = build(Settings.load())
        run = definitions.resolve_job_def("everything").execute_in_process(
            instance=instance,
            partition_key=today(datetime.now(UTC)),
            asset_selection=[
                *STORES.resolve(definitions.resolve_asset_graph()),
                AssetKey("significance_tests"),
            ],
        )
        yield Built(server, definitions, instance, run)


def test_the_hourly_job_builds_every_touched_day_and_tests_what_the_models_hold(built: Built) -> None:
    client = built.analysis.client
    results = client.query(
        "SELECT experiment_key, metric_key, n_control + n_variant FROM experiment_results ORDER BY 1, 2"
    ).result_rows
    moments = client.query(
        "SELECT experiment_key, metric_key, sum(n) FROM metric_moments INNER JOIN stg_experiments "
        "USING (experiment_id) GROUP BY ALL ORDER BY 1, 2"
    ).result_rows

    assert built.run.success
    assert results == moments
    # Days that were built because rows touched them, although the run was another day's.
    days = {str(day) for (day,) in client.query("SELECT DISTINCT date FROM daily_metrics").result_rows}
    assert days <= built.instance.get_materialized_partitions(AssetKey("daily_metrics"))


def test_results_lead_to_decisions_reports_and_the_weeks_overview(built: Built) -> None:
    client = built.analysis.client

    assert built.execute("decisions", KEYS).success
    assert built.execute("reports", KEYS[:1]).success
    assert built.execute("weekly_report").success

    decided = client.query("SELECT DISTINCT experiment_key FROM experiment_decisions").result_rows
    assert sorted(key for (key,) in decided) == sorted(KEYS)
    kept = client.query("SELECT DISTINCT kind, experiment_key FROM reports ORDER BY ALL").result_rows
    assert kept == [("experiment", KEYS[0]), ("overview", "")]


def test_values_that_their_raw_events_give_are_told_from_others(built: Built) -> None:
    """With events that travelled twice, late ones, units in two arms, and people who were erased and came back."""
    client = built.analysis.client
    later = datetime.now(UTC) + timedelta(days=1)
    newest = [versions[max(versions)] for versions in read_configurations(client).values()]
    sampled = [
        (experiment, metric)
        for experiment in newest
        for metric in experiment.metrics
        if can_recompute(metric)
    ]

    for experiment, metric in sampled:
        units, found = differences(client, experiment, metric, later, "a seed")
        assert units == 200, (experiment.key, metric.key)
        assert found == [], (experiment.key, metric.key)

    client.command(
        "ALTER TABLE unit_metric_values UPDATE value_decimal = value_decimal + 1 WHERE 1 "
        "SETTINGS mutations_sync = 2"
    )
    _, broken = differences(client, *sampled[0], later, "a seed")
    client.command(
        "ALTER TABLE unit_metric_values UPDATE value_decimal = value_decimal - 1 WHERE 1 "
        "SETTINGS mutations_sync = 2"
    )
    assert len(broken) == 200


def test_chosen_partitions_rebuild_exactly_those_days(built: Built) -> None:
    client, before = built.analysis.client, datetime.now(UTC)
    day = str(client.query("SELECT min(date) FROM daily_metrics").result_rows[0][0])

    result = built.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=built.instance, partition_key=day, asset_selection=[AssetKey("daily_metrics")]
    )

    assert result.success
    found = client.query(
        "SELECT model, toString(day) FROM partition_builds WHERE built_at >= {since:DateTime64(3, 'UTC')}",
        parameters={"since": before},
    ).result_rows
    assert found == [("daily_metrics", day)]


def test_a_metric_whose_rows_are_no_units_is_named(built: Built) -> None:
    """Each unit has four rows of one experiment's revenue, and every row is tested as if it were a unit.

    A median among many equal values is tested with too wide an interval: it may be named, with a rate below 5 %.
    """
    client = built.analysis.client

    assert built.execute("calibration").success
    honest = _rates(built)
    for _ in range(2):
        client.command(
            "INSERT INTO unit_metric_values SELECT * FROM unit_metric_values "
            "WHERE experiment_id = 2 AND metric_key = 'revenue'"
        )
    calibration = built.execute("calibration")
    broken = _rates(built)

    (check,) = calibration.get_asset_check_evaluations()
    wrong = (KEYS[1], "revenue")
    assert not check.passed
    assert " · ".join(wrong) in check.metadata["metrics"].value
    assert [
        name
        for name, (calibrated, _) in broken.items()
        if calibrated is False and name[1] != "median_revenue"
    ] == [wrong]
    assert {name: rate for name, rate in broken.items() if name != wrong} == {
        name: rate for name, rate in honest.items() if name != wrong
    }
    # Every metric has a rate that holds, or a reason in its place.
    assert {metric for _, metric in honest} == {metric.key for metric in metrics()}
    assert honest[wrong] == (True, "")
    assert all(
        calibrated or reason
        for (_, metric), (calibrated, reason) in honest.items()
        if metric != "median_revenue"
    ), honest
    assert sum(calibrated is True for calibrated, _ in honest.values()) > len(honest) / 2


def _rates(built: Built) -> dict[tuple[str, str], tuple[bool | None, str]]:
    """Whether each metric's newest rate holds, and why there is none."""
    return {
        (experiment, metric): (calibrated, reason)
        for experiment, metric, calibrated, reason in built.analysis.client.query(
            "SELECT experiment_key, metric_key, calibrated, status_reason FROM randomization_rates "
            "ORDER BY computed_at DESC LIMIT 1 BY experiment_key, metric_key"
        ).result_rows
    }
