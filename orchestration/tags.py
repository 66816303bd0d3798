"""What a run's tags say of the days it builds."""

from __future__ import annotations

from enum import StrEnum

REBUILD_TAG = "neonblue/rebuild"
"""Which days a run builds. Without it, its partitions."""

DAYS_TAG = "neonblue/days"
"""The days a run builds, separated by commas, in place of its partitions."""

PARTITION_TAG = "dagster/partition"


class Rebuild(StrEnum):
    """Which days a run builds."""

    TOUCHED = "touched"  # those that rows have touched since they were last built
    SELECTED = "selected"  # the run's partitions
