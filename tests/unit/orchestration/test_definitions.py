"""What Dagster loads: every asset, and the lineage from the API's tables to the reports."""

from __future__ import annotations

import subprocess
import sys

import pytest
from dagster import AssetKey, AssetSelection, Definitions

from neonblue.settings import Settings
from orchestration.definitions import build
from tests.unit.orchestration.asset_table import SNAPSHOT, asset_table

_LOADED = """
import sys
import orchestration.definitions
print(" ".join(name for name in ("scipy.stats", "matplotlib", "apprise", "confluent_kafka") if name in sys.modules))
"""


@pytest.fixture(scope="module")
def definitions(parsed: Settings) -> Definitions:
    return build(parsed)


def ancestors(definitions: Definitions, key: AssetKey) -> set[str]:
    graph = definitions.resolve_asset_graph()
    found: set[AssetKey] = set()
    waiting = [key]
    while waiting:
        parents = graph.get(waiting.pop()).parent_keys - found
        found |= parents
        waiting += parents
    return {ancestor.to_user_string() for ancestor in found}


def test_every_asset_has_the_key_group_partitions_dependencies_and_checks_it_had(
    definitions: Definitions,
) -> None:
    """After a change that is meant: python -m tests.unit.orchestration.asset_table"""
    assert asset_table(definitions) == SNAPSHOT.read_text()


def test_reports_descend_from_the_api_tables_through_the_topic(definitions: Definitions) -> None:
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
        "significance_tests",
        "experiment_decision",
    } <= ancestors(definitions, AssetKey("experiment_report"))


def test_every_asset_says_what_it_is_and_who_answers_for_it(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert node.kinds, key


def test_the_hourly_job_builds_every_model_and_the_results(definitions: Definitions) -> None:
    built = definitions.resolve_job_def("everything").asset_layer.selected_asset_keys

    models = AssetSelection.groups("staging", "intermediate", "marts").resolve(
        definitions.resolve_asset_graph()
    )
    assert models | {AssetKey("significance_tests"), AssetKey("sample_ratio_stages")} <= built
    assert AssetKey(["kafka", "experiments_events"]) not in built
    assert AssetKey("event_partitions") not in built


def test_every_schedule_and_sensor_is_on_from_the_start(definitions: Definitions) -> None:
    schedules = {schedule.name: schedule.default_status.value for schedule in definitions.schedules or ()}
    sensors = {sensor.name: sensor.default_status.value for sensor in definitions.sensors or ()}

    assert schedules == dict.fromkeys(
        (
            "hourly",
            "hourly_decisions",
            "daily_reports",
            "weekly",
            "weekly_calibration",
            "daily_maintenance",
        ),
        "RUNNING",
    )
    assert sensors == dict.fromkeys(
        (
            "started_experiments",
            "scheduled_experiments",
            "concluded_experiments",
            "guardrails",
            "ramps",
            "failed_checks",
            "failed_runs",
        ),
        "RUNNING",
    )


@pytest.mark.usefixtures("definitions")  # which has parsed the models
def test_loading_the_definitions_loads_neither_the_engine_nor_what_draws_or_sends(parsed: Settings) -> None:
    """The code server is idle most of the time: it must be small."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOADED],
        env={"NEONBLUE_DATA_DIR": str(parsed.data_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.strip() == ""


def test_one_dbt_process_builds_all_models(definitions: Definitions) -> None:
    """Dagster cuts assets that it can't build together into further steps, `dbt_models_2` and so on."""
    steps = definitions.resolve_job_def("everything").graph.node_dict
    assert [name for name in steps if name.startswith("dbt_models")] == ["dbt_models"]
