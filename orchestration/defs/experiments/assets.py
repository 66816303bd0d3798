"""What each running experiment's results lead to, and its report."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from clickhouse_connect.driver.client import Client
from dagster import (
    AssetExecutionContext,
    BackfillPolicy,
    MaterializeResult,
    MetadataValue,
    asset,
)

from neonblue.settings import Settings
from orchestration.alone import Alone, check_spec
from orchestration.defs.experiments.looking import taken, waiting
from orchestration.defs.significance.assets import MOMENTS
from orchestration.defs.significance.repository import (
    ExperimentData,
    RunStamp,
    read_experiments,
    read_looks,
    read_stamp,
    write_decision,
)
from orchestration.defs.sources.assets import OWNERS
from orchestration.keys import DECISION, REPORT, TESTS
from orchestration.partitions import experiments
from orchestration.resources import Api, ClickHouse, Postgres

if TYPE_CHECKING:
    from neonblue.analysis import Question
    from neonblue.statistics import HealthCheck, Report


@asset(
    key=DECISION,
    deps=[TESTS, *MOMENTS],
    partitions_def=experiments,
    backfill_policy=BackfillPolicy.single_run(),
    group_name="results",
    kinds={"python", "clickhouse"},
    owners=OWNERS,
    code_version="1",
    check_specs=[check_spec(DECISION)],
    description="Per experiment: ship, roll back, keep running, inconclusive or invalid, and why, in one sentence.",
)
def experiment_decision(
    context: AssetExecutionContext, clickhouse: ClickHouse, postgres: Postgres, api: Api
) -> MaterializeResult:  # type: ignore[type-arg]
    """Takes the look that is due of each experiment of the run, and appends to `experiment_decisions`."""
    decided: dict[str, str] = {}
    alone = Alone()
    with clickhouse.client() as client:
        stamp = read_stamp(client, context.run.run_id)
        experiments = _experiments_of(context, client)
        with postgres.connection() as connection:
            looks = read_looks(connection, (one.newest.experiment_id for one in experiments))
        for experiment in experiments:
            with alone.of(experiment.newest.key):
                waits = waiting(client, experiment)
                if waits:
                    decided[experiment.newest.key] = waits
                    continue
                kept = looks.get(experiment.newest.experiment_id, ())
                question, report = taken(api, experiment, kept)
                _write(context, client, question, report, stamp)
                decided[experiment.newest.key] = report.decision.sentence
    return MaterializeResult(
        check_results=[alone.check(DECISION)],
        metadata={"dagster/row_count": len(decided), "decisions": dict(decided)},
    )


def _write(
    context: AssetExecutionContext, client: Client, question: "Question", report: "Report", stamp: RunStamp
) -> None:
    """Keeps the experiment's decision, and shows it."""
    write_decision(client, question, report.decision, stamp)
    context.add_asset_metadata(
        {
            "action": report.decision.action.value,
            "decision": report.decision.sentence,
            "units": question.experiment.units,
            "looks": len(question.looks) + question.looking,
            "health": MetadataValue.md(_checks(report.health)),
        },
        asset_key=DECISION,
        partition_key=question.configuration.key,
    )


@asset(
    key=REPORT,
    deps=[DECISION],
    partitions_def=experiments,
    backfill_policy=BackfillPolicy.single_run(),
    group_name="results",
    kinds={"python", "html"},
    owners=OWNERS,
    code_version="1",
    check_specs=[check_spec(REPORT)],
    description="Per experiment: the report people read, one self-contained HTML file.",
)
def experiment_report(context: AssetExecutionContext, clickhouse: ClickHouse, api: Api) -> MaterializeResult:  # type: ignore[type-arg]
    """Publishes the results of each experiment of the run, with its report and figures."""
    # The engine and what draws take seconds to load.
    from neonblue.results.run import publish_experiment
    from neonblue.results.store import ReportStore

    kept, settings, alone = 0, Settings.load(), Alone()
    store = ReportStore.of(settings)
    with clickhouse.client() as client:
        for key in context.partition_keys:
            with alone.of(key):
                made = publish_experiment(
                    client, store, key, context.run.run_id, looks=partial(api.looks, key), keep=api.keep_look
                )
                files = [line.location for line in (made.report, *made.figures)]
                kept += len(files)
                page = MetadataValue.url(f"{settings.api.address}/v1/reports/{made.report.report_id}")
                context.add_asset_metadata(
                    {"report": page, "files": files}, asset_key=REPORT, partition_key=key
                )
    return MaterializeResult(check_results=[alone.check(REPORT)], metadata={"dagster/row_count": kept})


def _experiments_of(context: AssetExecutionContext, client: Client) -> list[ExperimentData]:
    """The run's partitions that have started. A run over many reads once, a run over one reads that one."""
    keys = list(context.partition_keys)
    found = read_experiments(client, keys[0] if len(keys) == 1 else "")
    return [experiment for experiment in found if experiment.newest.key in keys]


def _checks(health: "Sequence[HealthCheck]") -> str:
    from neonblue.statistics.experiment.wording import FINDINGS

    lines = [f"- {FINDINGS[check.finding][0]} {check.message}" for check in health]
    return "\n".join(lines) or "No check applies yet."
