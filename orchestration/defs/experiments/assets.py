"""What each running experiment's results lead to, and its report."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from clickhouse_connect.driver.client import Client
from dagster import (
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from neonblue.settings import Settings
from orchestration.defs.experiments.looking import taken
from orchestration.defs.significance.assets import KEY, MOMENTS
from orchestration.defs.significance.repository import (
    ExperimentData,
    read_experiments,
    read_looks,
    read_stamp,
    write_decision,
)
from orchestration.defs.sources.assets import OWNERS
from orchestration.partitions import experiments
from orchestration.resources import Api, ClickHouse, Postgres

if TYPE_CHECKING:
    from neonblue.statistics import HealthCheck

DECISION = AssetKey("experiment_decision")
REPORT = AssetKey("experiment_report")


@asset(
    key=DECISION,
    deps=[KEY, *MOMENTS],
    partitions_def=experiments,
    backfill_policy=BackfillPolicy.single_run(),
    group_name="results",
    kinds={"python", "clickhouse"},
    owners=OWNERS,
    code_version="1",
    description="Per experiment: ship, roll back, keep running, inconclusive or invalid, and why, in one sentence.",
)
def experiment_decision(
    context: AssetExecutionContext, clickhouse: ClickHouse, postgres: Postgres, api: Api
) -> MaterializeResult[None]:
    """Takes the look that is due of each experiment of the run, and appends to `experiment_decisions`.

    One experiment whose look can't be kept is not decided; the others are, and the run fails at its end.
    """
    decided: dict[str, str] = {}
    failed: dict[str, str] = {}
    with postgres.connection() as connection:
        looks = read_looks(connection)
    with clickhouse.client() as client:
        stamp = read_stamp(client, context.run_id)
        for experiment in _experiments_of(context, client):
            key = experiment.newest.key
            try:
                question, report = taken(api, experiment, looks.get(experiment.newest.experiment_id, ()))
                write_decision(client, question, report.decision, stamp)
            except Exception as error:  # one experiment's fault is told, and is nobody else's
                context.log.exception(f"{key} is not decided")
                failed[key] = f"{type(error).__name__}: {error}"
                continue
            decided[key] = report.decision.sentence
            context.add_asset_metadata(
                {
                    "action": report.decision.action.value,
                    "decision": report.decision.sentence,
                    "units": question.experiment.units,
                    "looks": len(question.looks) + question.looking,
                    "health": MetadataValue.md(_checks(report.health)),
                },
                asset_key=DECISION,
                partition_key=key,
            )
    if failed:
        raise Failure("; ".join(f"{key} is not decided: {why}" for key, why in failed.items()))
    return MaterializeResult(metadata={"dagster/row_count": len(decided), "decisions": dict(decided)})


@asset(
    key=REPORT,
    deps=[DECISION],
    partitions_def=experiments,
    backfill_policy=BackfillPolicy.single_run(),
    group_name="results",
    kinds={"python", "html"},
    owners=OWNERS,
    code_version="1",
    description="Per experiment: the report people read, one self-contained HTML file.",
)
def experiment_report(
    context: AssetExecutionContext, clickhouse: ClickHouse, api: Api
) -> MaterializeResult[None]:
    """Publishes the results of each experiment of the run, with its report and figures.

    One that fails keeps no other from being published; the run fails at its end.
    """
    # The engine and what draws take seconds to load.
    from neonblue.results.run import publish_experiment
    from neonblue.results.store import ReportStore

    kept, settings = 0, Settings.load()
    failed: dict[str, str] = {}
    store = ReportStore.of(settings)
    with clickhouse.client() as client:
        for key in context.partition_keys:
            try:
                made = publish_experiment(
                    client, store, key, context.run_id, looks=api.looks(key), keep=api.keep_look
                )
            except Exception as error:  # one experiment's fault is told, and is nobody else's
                context.log.exception(f"{key} is not published")
                failed[key] = f"{type(error).__name__}: {error}"
                continue
            files = [line.location for line in (made.report, *made.figures)]
            kept += len(files)
            context.add_asset_metadata(
                {
                    "report": MetadataValue.url(f"{settings.api.address}/v1/reports/{made.report.report_id}"),
                    "files": files,
                },
                asset_key=REPORT,
                partition_key=key,
            )
    if failed:
        raise Failure("; ".join(f"{key} is not published: {why}" for key, why in failed.items()))
    return MaterializeResult(metadata={"dagster/row_count": kept})


def _experiments_of(context: AssetExecutionContext, client: Client) -> Iterator[ExperimentData]:
    """The run's partitions that have started. A run over many reads once, a run over one reads that one."""
    keys = list(context.partition_keys)
    found = read_experiments(client, keys[0] if len(keys) == 1 else "")
    return (experiment for experiment in found if experiment.newest.key in keys)


def _checks(health: "Sequence[HealthCheck]") -> str:
    lines = [f"- {'✓' if check.passed else '✗'} {check.message}" for check in health]
    return "\n".join(lines) or "No check applies yet."
