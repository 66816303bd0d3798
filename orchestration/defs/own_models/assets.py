"""A data team's own dbt models as assets, built after NeonBlue's: what fails there stops nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition, RetryPolicy
from dagster_dbt import DbtCliResource, dbt_assets

from neonblue.settings import Settings
from orchestration.building import arguments
from orchestration.defs.warehouse.translator import ModelTranslator
from orchestration.locking import building

GROUP = "own"
_RETRY = RetryPolicy(max_retries=1, delay=15)


class OwnTranslator(ModelTranslator):
    """NeonBlue's models keep their keys, so that lineage goes on into the own ones; those are one group."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        return GROUP

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> None:  # noqa: ARG002
        """The project says who, if anybody."""
        return


def own_model_assets(manifest: Path, package: str) -> AssetsDefinition:
    """Every model of the manifest that is `package`'s own; its tests are asset checks."""

    @dbt_assets(
        manifest=manifest,
        name="own_models",
        select=f"package:{package}",
        dagster_dbt_translator=OwnTranslator(),
        retry_policy=_RETRY,
        pool="dbt",
    )
    def own_models(context: AssetExecutionContext, own_dbt: DbtCliResource) -> Iterator[Any]:
        with building(Settings.load(), lambda holder: context.log.info(f"waits for {holder}")):
            yield from own_dbt.cli(arguments(None), context=context).stream().fetch_row_counts()

    return own_models
