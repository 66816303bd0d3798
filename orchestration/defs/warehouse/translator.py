"""How a dbt model looks in Dagster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetKey
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from orchestration.defs.sources.assets import OWNERS, ingested_key


class ModelTranslator(DagsterDbtTranslator):
    """A model is named after itself and grouped by its layer; a source is the ingestion layer's table."""

    def __init__(self) -> None:
        super().__init__(
            settings=DagsterDbtTranslatorSettings(
                enable_asset_checks=True, enable_source_tests_as_checks=True, enable_code_references=False
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        name = str(dbt_resource_props["name"])
        return ingested_key(name) if dbt_resource_props["resource_type"] == "source" else AssetKey(name)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        layers = dbt_resource_props["fqn"]
        return str(layers[1]) if len(layers) > 2 else None

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The description alone. dbt's SQL is for most models a macro's call, which tells a reader nothing."""
        return str(dbt_resource_props.get("description") or "")

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:  # noqa: ARG002
        return OWNERS
