"""What every answer names: when it was computed, from what, by what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from neonblue import __version__
from neonblue.contract.messages import ExperimentMessage


@dataclass(frozen=True, slots=True)
class Stamp:
    """watermark: everything received up to then is in the numbers; None where nothing has arrived.

    configuration_version: None where no configuration has arrived.
    """

    computed_at: datetime
    watermark: datetime | None
    configuration_version: int | None
    code_version: str = __version__


def stamp_now(watermark: datetime | None, configuration: ExperimentMessage | None) -> Stamp:
    """A stamp of this moment."""
    version = None if configuration is None else configuration.version
    return Stamp(datetime.now(UTC), watermark, version)
