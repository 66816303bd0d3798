"""The dbt models as assets; their tests are asset checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext, AssetKey, AssetsDefinition
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from orchestration.defs.sources.assets import ingested_key


class ModelTranslator(DagsterDbtTranslator):
    """A model is named after itself and grouped by its layer; a source is the ingestion layer's table."""

    def __init__(self) -> None:
        super().__init__(
            settings=DagsterDbtTranslatorSettings(
                enable_asset_checks=True, enable_source_tests_as_checks=True
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        name = str(dbt_resource_props["name"])
        return ingested_key(name) if dbt_resource_props["resource_type"] == "source" else AssetKey(name)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        layers = dbt_resource_props["fqn"]
        return str(layers[1]) if len(layers) > 2 else None


def dbt_model_assets(manifest: Path) -> AssetsDefinition:
    """Every model of the manifest, built by one `dbt build`, which also runs the tests."""

    @dbt_assets(manifest=manifest, name="dbt_models", dagster_dbt_translator=ModelTranslator())
    def dbt_models(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        yield from dbt.cli(["build"], context=context).stream()

    return dbt_models
