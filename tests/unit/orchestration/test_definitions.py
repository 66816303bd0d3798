"""What Dagster loads: every asset, and the lineage from the API's tables to the results."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import AssetKey, Definitions

from neonblue.settings import Settings
from orchestration.definitions import build


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    return build(Settings(data_dir=Path(tmp_path_factory.mktemp("data"))))


def ancestors(definitions: Definitions, key: AssetKey) -> set[str]:
    graph = definitions.resolve_asset_graph()
    found: set[AssetKey] = set()
    waiting = [key]
    while waiting:
        parents = graph.get(waiting.pop()).parent_keys - found
        found |= parents
        waiting += parents
    return {ancestor.to_user_string() for ancestor in found}


def test_results_descend_from_the_api_tables_through_the_topic(definitions: Definitions) -> None:
    assert {
        "postgres/events",
        "postgres/assignments",
        "postgres/experiments",
        "postgres/outbox_events",
        "kafka/experiments_events",
        "clickhouse/events_processed",
        "clickhouse/assignments",
        "clickhouse/experiments",
        "first_exposures",
        "unit_metric_values",
        "metric_moments",
    } <= ancestors(definitions, AssetKey("significance_tests"))


def test_the_job_builds_every_model_and_the_results(definitions: Definitions) -> None:
    built = definitions.resolve_job_def("everything").asset_layer.selected_asset_keys

    assert {
        AssetKey(name)
        for name in ("daily_metrics", "experiment_summary", "metric_moments", "significance_tests")
    } <= built
    assert AssetKey(["kafka", "experiments_events"]) not in built


def test_the_day_is_built_by_a_running_schedule(definitions: Definitions) -> None:
    (schedule,) = definitions.schedules or ()

    assert schedule.name == "daily"
    assert schedule.job_name == "everything"
