"""What runs together."""

from __future__ import annotations

from dagster import AssetsDefinition, AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.keys import DECISION, OVERVIEW, RATES, REPORT
from orchestration.tags import REBUILD_TAG, Rebuild

_MAINTENANCE = AssetSelection.groups("maintenance")
_PER_EXPERIMENT = AssetSelection.assets(DECISION, REPORT)

_OWN = AssetSelection.groups("own")

everything = define_asset_job(
    "everything",
    selection=AssetSelection.all()
    - _MAINTENANCE
    - _PER_EXPERIMENT
    - _OWN
    - AssetSelection.assets(RATES, OVERVIEW),
    tags={REBUILD_TAG: Rebuild.TOUCHED.value},
    description="Builds and tests every model, then the significance tests and the stages of exposure.",
)
decisions = define_asset_job(
    "decisions",
    selection=AssetSelection.assets(DECISION),
    description="The decision of every experiment whose partition the run has.",
)
reports = define_asset_job(
    "reports",
    selection=_PER_EXPERIMENT,
    description="The decision and the report of every experiment whose partition the run has.",
)
weekly_report = define_asset_job(
    "weekly_report",
    selection=AssetSelection.assets(OVERVIEW),
    description="The overview of all experiments.",
)
calibration = define_asset_job(
    "calibration",
    selection=AssetSelection.assets(RATES),
    description="Draws real history into two arms at random, again and again.",
)
maintenance = define_asset_job(
    "maintenance",
    selection=_MAINTENANCE,
    description="Retention, partitions, and whether anything is left of erased people.",
)


def own_models(assets: AssetsDefinition) -> UnresolvedAssetJobDefinition:
    """The job of a data team's own models. Its failure is no failure of `everything`."""
    return define_asset_job(
        "own_models",
        selection=AssetSelection.assets(assets),
        description="Builds and tests the team's own models.",
    )
