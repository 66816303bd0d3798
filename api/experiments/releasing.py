"""How a release grows by time alone: pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.experiments.release_fields import ReleaseOut
from api.experiments.repository import Row
from neonblue.contract.life_cycle import Status
from neonblue.ramps.planner import Action, Evidence, next_action

_BY_TIME_ALONE = Evidence(units=None, breached=())


@dataclass(frozen=True, slots=True)
class ReleaseStep:
    """A step of a release's ramp. release: as it is stored from then on."""

    release: Row
    why: str


def next_step(row: Row, now: datetime) -> ReleaseStep | None:
    """The step whose time has come; None: there is none."""
    if row["status"] != Status.CONCLUDED or row["release"] is None:
        return None
    release = ReleaseOut.model_validate(row["release"])
    growing = release.growing()
    if growing is None:
        return None
    coming = next_action(*growing, now, _BY_TIME_ALONE)
    if coming.action is not Action.ADVANCE or coming.share is None:
        return None
    return ReleaseStep(release.at(coming.share, now), coming.why)
