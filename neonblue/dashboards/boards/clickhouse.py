"""What ClickHouse takes in, merges, refreshes and keeps."""

from __future__ import annotations

from grafana_foundation_sdk.models import units

from neonblue.dashboards.model import (
    ONE_IS_GOOD,
    Board,
    ClickHouse,
    Colour,
    Column,
    Kind,
    Panel,
    Prometheus,
    Row,
    Word,
)

_IN = Row(
    "What comes in",
    (
        Panel(
            "Rows",
            "Rows a second into all tables. One event becomes a row in several of them, so this is a few "
            "times what is accepted.",
            (Prometheus("rate(neonblue_clickhouse_inserted_rows_total[$__rate_interval])", "rows"),),
            unit=units.RowsPerSecond,
        ),
        Panel(
            "Bytes",
            "Bytes a second of those rows, before they are compressed.",
            (Prometheus("rate(neonblue_clickhouse_inserted_bytes_total[$__rate_interval])", "bytes"),),
            unit=units.BytesPerSecondIEC,
        ),
        Panel(
            "Queries",
            "Queries a second, and those that failed. A failed one is told in `neonblue logs clickhouse`.",
            (
                Prometheus("rate(neonblue_clickhouse_queries_total[$__rate_interval])", "begun"),
                Prometheus("rate(neonblue_clickhouse_failed_queries_total[$__rate_interval])", "failed"),
                Prometheus("rate(neonblue_clickhouse_inserts_total[$__rate_interval])", "INSERT"),
            ),
            unit=units.OpsPerSecond,
        ),
    ),
)

_MERGED = Row(
    "Do merges keep up?",
    (
        Panel(
            "Most parts of a partition",
            "Each insert makes a part, merges make few out of many. Where a line climbs for long, merges do "
            "not keep up: queries get slower, and in the end inserts are refused.",
            (Prometheus("topk(8, neonblue_clickhouse_most_parts)", "{{table}}"),),
            unit=units.NoUnit,
            alerts=("TooManyParts",),
        ),
        Panel(
            "Merges",
            "Merges and queries that run now.",
            (
                Prometheus("neonblue_clickhouse_merges", "merges"),
                Prometheus("neonblue_clickhouse_running_queries", "queries"),
            ),
            unit=units.NoUnit,
        ),
        Panel(
            "Merged rows",
            "Rows a second that merges have read.",
            (Prometheus("rate(neonblue_clickhouse_merged_rows_total[$__rate_interval])", "rows"),),
            unit=units.RowsPerSecond,
        ),
    ),
)

_REFRESHED = Row(
    "Are the live tables fresh?",
    (
        Panel(
            "How long a refresh takes",
            "Live results read tables that are made anew every few seconds. A refresh that takes longer than "
            "its period makes results older, not wrong.",
            (Prometheus("neonblue_clickhouse_refresh_seconds", "{{view}}"),),
            unit=units.Seconds,
        ),
        Panel(
            "How old the live tables are",
            "Seconds since each was last made anew.",
            (
                Prometheus(
                    "time() - (neonblue_clickhouse_refresh_last_success_timestamp_seconds > 0)", "{{view}}"
                ),
            ),
            unit=units.Seconds,
            alerts=("LiveTablesStale", "LiveTableNeverFilled"),
        ),
        Panel(
            "Refreshes",
            "Each live table: what it does now, when it was last made anew, and why that failed.",
            (ClickHouse("refreshes"),),
            Kind.TABLE,
            columns=(
                Column("live_table", shown="Table"),
                Column("status", shown="Now"),
                Column("last_success_time", units.DateTimeFromNow, "Made"),
                Column("seconds", units.Seconds, "Took"),
                Column("why", shown="Why it failed"),
            ),
        ),
    ),
)

_KEPT = Row(
    "What it takes",
    (
        Panel(
            "Memory",
            "Memory that ClickHouse has counted as its own, and what its process takes.",
            (
                Prometheus("neonblue_clickhouse_memory_bytes", "counted"),
                Prometheus('neonblue_service_memory_bytes{service="clickhouse"}', "process"),
            ),
            unit=units.BytesIEC,
        ),
        Panel(
            "Disk by table",
            "Bytes of the eight largest tables. What grows and how long it is kept: docs/operations.md, "
            "'Disk, logs, limits'.",
            (Prometheus("topk(8, neonblue_clickhouse_table_bytes)", "{{table}}"),),
            unit=units.BytesIEC,
            stacked=True,
        ),
        Panel(
            "Tables",
            "The largest tables now. 'Compressed': how many bytes of rows one byte on the disk holds; the "
            "events' should be about 10.",
            (ClickHouse("tables"),),
            Kind.TABLE,
            columns=(
                Column("table_name", shown="Table"),
                Column("table_rows", units.Short, "Rows"),
                Column("bytes", units.BytesIEC, "Disk"),
                Column("ratio", "suffix: ×", "Compressed"),
                Column("bytes_per_row", units.BytesIEC, "A row"),
            ),
        ),
        Panel(
            "Rows by table",
            "Rows of the eight tables that have the most.",
            (Prometheus("topk(8, neonblue_clickhouse_rows)", "{{table}}"),),
            width=12,
        ),
        Panel(
            "Is it seen?",
            "Whether the exporter could look at each part. Where it could not, the lines above have a gap, "
            "and nobody would be told of what happens in it.",
            (Prometheus("max by (source) (neonblue_look_success)", "{{source}}"),),
            Kind.STATES,
            units.NoUnit,
            width=12,
            alerts=("PartNotSeen", "QuestionNotAnswered"),
            words={0: Word("not seen", Colour.BAD), 1: Word("seen", Colour.GOOD)},
            steps=ONE_IS_GOOD,
        ),
    ),
)

CLICKHOUSE = Board(
    "neonblue-clickhouse",
    "NeonBlue: ClickHouse",
    "What ClickHouse takes in, merges, refreshes and keeps.",
    "3h",
    (_IN, _MERGED, _REFRESHED, _KEPT),
)
