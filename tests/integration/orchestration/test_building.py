"""A build without Dagster, and what a build leaves in the log of its run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance

from neonblue.settings import Settings
from orchestration.building import build
from orchestration.definitions import build as definitions
from orchestration.outcome import OUTCOME, Ending, from_json
from orchestration.partitions import today
from tests.integration.orchestration.conftest import Analysis

pytestmark = pytest.mark.timeout(400)
MODEL = "stg_assignments"
SOURCE = "assignments"


@contextmanager
def without_source(analysis: Analysis) -> Iterator[None]:
    """The model can't be built meanwhile."""
    analysis.client.command(f"RENAME TABLE {SOURCE} TO {SOURCE}_away")
    try:
        yield
    finally:
        analysis.client.command(f"RENAME TABLE {SOURCE}_away TO {SOURCE}")


def test_a_build_says_which_models_it_built_and_how_each_test_ended(analysis: Analysis) -> None:
    outcome = build(analysis.settings, select=["staging"], variables={"ingestion_grace_seconds": 0})

    assert (outcome.failed, outcome.error) == ((), "")
    assert MODEL in [node.name for node in outcome.models]
    assert outcome.tests
    assert {node.ending for node in outcome.tests} == {Ending.PASSED}


def test_a_model_that_can_not_be_built_is_named_with_the_databases_words(analysis: Analysis) -> None:
    with without_source(analysis):
        outcome = build(analysis.settings, [datetime.now(UTC).date()], select=[MODEL])

    assert not outcome.succeeded
    assert [(node.kind, node.name) for node in outcome.failed if node.kind == "model"] == [("model", MODEL)]
    assert any("UNKNOWN_TABLE" in node.says for node in outcome.failed)


def test_a_build_without_a_database_says_so_and_raises_nothing(analysis: Analysis) -> None:
    away = analysis.settings.clickhouse.model_copy(update={"port": 9})

    outcome = build(analysis.settings.model_copy(update={"clickhouse": away}), select=[MODEL])

    assert (outcome.succeeded, outcome.nodes) == (False, ())
    assert "127.0.0.1" in outcome.error


def test_the_log_of_a_run_has_the_outcome_of_its_build_also_where_it_failed(analysis: Analysis) -> None:
    with DagsterInstance.ephemeral() as instance, without_source(analysis):
        run = (
            definitions(Settings.load())
            .resolve_job_def("everything")
            .execute_in_process(
                instance=instance,
                partition_key=today(datetime.now(UTC)),
                asset_selection=[AssetKey(MODEL)],
                raise_on_error=False,
            )
        )
        entries = instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)

    told = [
        entry.dagster_event.engine_event_data.metadata[OUTCOME].value
        for entry in entries
        if entry.dagster_event is not None and OUTCOME in entry.dagster_event.engine_event_data.metadata
    ]
    assert not run.success
    assert MODEL in [node.name for node in from_json(json.dumps(told[-1])).failed]
