"""A run that waits already is not asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    RunRequest,
    SkipReason,
    build_schedule_context,
)
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import create_run_for_test

from orchestration.defs.warehouse.schedules import hourly
from orchestration.tags import REBUILD_TAG

TOUCHED = {REBUILD_TAG: "touched"}
CHOSEN = {REBUILD_TAG: "2026-03-01"}


SOMEWHERE = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("127.0.0.1", 1), "repository")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as made:
        yield made


@pytest.fixture
def instance(stored: DagsterInstance) -> DagsterInstance:
    """Without a run."""
    stored.wipe()
    assert stored.get_runs() == []
    return stored


def given(instance: DagsterInstance, job: str, status: DagsterRunStatus, tags: dict[str, str]) -> None:
    """A run of this job that has come so far."""
    run = create_run_for_test(
        instance, job_name=job, tags=tags, remote_job_origin=RemoteJobOrigin(SOMEWHERE, job)
    )
    instance.report_dagster_event(DagsterEvent.job_enqueue(run), run_id=run.run_id)
    if status is not DagsterRunStatus.QUEUED:
        start = DagsterEvent(event_type_value=DagsterEventType.RUN_START.value, job_name=job)
        instance.report_dagster_event(start, run_id=run.run_id)


def asked(instance: DagsterInstance) -> object:
    moment = datetime(2026, 3, 1, 10, 5, tzinfo=UTC)
    return hourly(build_schedule_context(instance=instance, scheduled_execution_time=moment))


def test_the_hour_asks_for_a_build_of_the_open_day(instance: DagsterInstance) -> None:
    request = asked(instance)

    assert isinstance(request, RunRequest)
    assert request.tags["dagster/partition"] == "2026-03-01"


def test_a_build_that_waits_is_enough(instance: DagsterInstance) -> None:
    given(instance, "everything", DagsterRunStatus.QUEUED, TOUCHED)

    assert isinstance(asked(instance), SkipReason)


@pytest.mark.parametrize(
    ("job", "status", "tags"),
    [
        ("everything", DagsterRunStatus.STARTED, TOUCHED),
        ("everything", DagsterRunStatus.QUEUED, CHOSEN),
        ("reports", DagsterRunStatus.QUEUED, TOUCHED),
    ],
    ids=["one that runs may be past what is touched now", "one of other days", "another job"],
)
def test_what_would_not_do_the_hours_work_does_not_stand_for_it(
    instance: DagsterInstance, job: str, status: DagsterRunStatus, tags: dict[str, str]
) -> None:
    given(instance, job, status, tags)

    assert isinstance(asked(instance), RunRequest)
