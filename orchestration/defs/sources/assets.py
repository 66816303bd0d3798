"""What the pipeline brings in, from the API's tables to ClickHouse: observed, not materialized by Dagster."""

from __future__ import annotations

from dagster import AssetKey, AssetSpec

OWNERS = ["team:data"]
"""Who answers for what is computed."""
INGESTED = (
    "events_processed",
    "assignments",
    "experiments",
    "erased_users",
    "user_links",
    "dead_letters",
    "recent_events",
)
_API_OWNERS = ["team:platform"]

_WRITTEN_BY_API = {
    "events": "Events as they were accepted.",
    "assignments": "The variant each unit was given first.",
    "user_links": "The person that each anonymous id belongs to.",
    "experiments": "The experiments and their configuration.",
}
_OUTBOX = AssetKey(["postgres", "outbox_events"])
_TOPIC = AssetKey(["kafka", "experiments_events"])
_INGESTED_DESCRIPTIONS = {
    "events_processed": "One row per accepted event.",
    "assignments": "One row per experiment and unit.",
    "experiments": "One row per change of an experiment, with its metric definitions.",
    "erased_users": "One row per erasure.",
    "user_links": "One row per anonymous id that belongs to a person.",
    "dead_letters": "What could not be read, with the reason.",
    "recent_events": "The last days' events by day and experiment, for the open day.",
}


def ingested_key(table: str) -> AssetKey:
    """The asset of a table of ClickHouse's ingestion layer."""
    return AssetKey(["clickhouse", table])


def source_specs() -> list[AssetSpec]:
    """From the API to the ingestion layer: PostgreSQL's tables → outbox → topic → ClickHouse's tables."""
    written = [
        AssetSpec(
            key=["postgres", table],
            group_name="api",
            kinds={"postgres"},
            owners=_API_OWNERS,
            description=description,
        )
        for table, description in _WRITTEN_BY_API.items()
    ]
    outbox = AssetSpec(
        key=_OUTBOX,
        deps=written,
        group_name="stream",
        kinds={"postgres"},
        owners=_API_OWNERS,
        description="Every accepted change, written in the same transaction as the change itself.",
    )
    topic = AssetSpec(
        key=_TOPIC,
        deps=[outbox],
        group_name="stream",
        kinds={"kafka"},
        owners=_API_OWNERS,
        description="The outbox as Debezium carries it: the replayable log.",
    )
    ingested = [
        AssetSpec(
            key=ingested_key(table),
            deps=[topic],
            group_name="ingestion",
            kinds={"clickhouse"},
            owners=_API_OWNERS,
            description=_INGESTED_DESCRIPTIONS[table],
        )
        for table in INGESTED
    ]
    erased_days = AssetSpec(
        key=ingested_key("erased_days"),
        deps=[ingested_key("erased_users")],
        group_name="ingestion",
        kinds={"clickhouse"},
        owners=_API_OWNERS,
        description="The days from which the API removed rows of erased people.",
    )
    return [*written, outbox, topic, *ingested, erased_days]
