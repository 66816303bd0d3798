"""All experiments on one page, once a week."""

from datetime import UTC, datetime, timedelta

from dagster import AssetExecutionContext, MaterializeResult, MetadataValue, asset

from neonblue.settings import Settings
from orchestration.defs.sources.assets import OWNERS
from orchestration.keys import DECISION, OVERVIEW
from orchestration.resources import Api, ClickHouse

_NEWEST = """
SELECT experiment_key, action, sentence, units
FROM experiment_decisions
WHERE computed_at >= now() - INTERVAL 7 DAY
ORDER BY experiment_key, computed_at DESC
LIMIT 1 BY experiment_key
"""


@asset(
    key=OVERVIEW,
    deps=[DECISION],
    group_name="results",
    kinds={"python", "html"},
    owners=OWNERS,
    code_version="1",
    description="The week's experiments: what each led to, in one sentence.",
)
def weekly_overview(
    context: AssetExecutionContext, clickhouse: ClickHouse, api: Api
) -> MaterializeResult[None]:
    """Publishes the overview of the seven days before today."""
    from neonblue.results.run import publish_overview
    from neonblue.results.store import ReportStore

    settings = Settings.load()
    last = datetime.now(UTC).date() - timedelta(days=1)
    with clickhouse.client() as client:
        page = publish_overview(
            client, ReportStore.of(settings), last - timedelta(days=6), last, context.run.run_id, api.looks
        )
        rows = client.query(_NEWEST).result_rows
    lines = ["| experiment | units | decision |", "|---|---|---|"]
    lines += [f"| {key} | {units} | {sentence} |" for key, _, sentence, units in rows]
    return MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "report": MetadataValue.url(f"{settings.api.address}/v1/reports/{page.report_id}"),
            "overview": MetadataValue.md("\n".join(lines)),
        }
    )
