"""A query of Grafana's ClickHouse plugin (``grafana-clickhouse-datasource``), which the SDK does not know."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Self

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.cog.runtime import DataqueryConfig
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PLUGIN = "grafana-clickhouse-datasource"
PLUGIN_VERSION = "4.14.0"


class Format(IntEnum):
    """What the plugin makes of the rows: a line for each text beside the time, or the table as it is."""

    TIME_SERIES = 0
    TABLE = 1


class ClickHouseQuery(variants.Dataquery):
    """As the plugin's SQL editor saves it."""

    def __init__(
        self,
        raw_sql: str,
        format_val: Format,
        ref_id: str = "",
        hide: bool | None = None,
        datasource: DataSourceRef | None = None,
    ) -> None:
        self.raw_sql = raw_sql
        self.format_val = format_val
        self.ref_id = ref_id
        self.hide = hide
        self.datasource = datasource

    def to_json(self) -> dict[str, object]:
        optional = {"refId": self.ref_id or None, "hide": self.hide, "datasource": self.datasource}
        return {
            "pluginVersion": PLUGIN_VERSION,
            "editorType": "sql",
            "queryType": "timeseries" if self.format_val is Format.TIME_SERIES else "table",
            "format": int(self.format_val),
            "rawSql": self.raw_sql,
        } | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        source = data.get("datasource")
        return cls(
            data["rawSql"],
            Format(data["format"]),
            data.get("refId", ""),
            data.get("hide"),
            None if source is None else DataSourceRef.from_json(source),
        )


class ClickHouseQueryBuilder(builder.Builder[ClickHouseQuery]):
    """For the SDK's panels, which take builders."""

    def __init__(self, query: ClickHouseQuery) -> None:
        self._query = query

    def build(self) -> ClickHouseQuery:
        return self._query


def variant() -> DataqueryConfig:
    """Lets the SDK read such queries out of a dashboard's JSON."""
    return DataqueryConfig(identifier=PLUGIN, from_json_hook=ClickHouseQuery.from_json)
