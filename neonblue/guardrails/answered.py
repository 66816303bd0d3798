"""What was done about earlier breaches, and what people made of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.actions import action_of
from neonblue.guardrails.breaches import Breach

if TYPE_CHECKING:
    from neonblue.analysis import MomentRow

ACTIONS = ("alert", "hold", "pause", "roll_back")
"""What a breach can lead to, from the weakest on."""
_NOT_STOPPED = (None, "draft", "scheduled", "running")


@dataclass(frozen=True, slots=True)
class Answered:
    """An earlier breach. version: of the configuration that was breached; 0: it was not kept then.

    action: what was done, one of ACTIONS.
    """

    metric_key: str
    variant_key: str
    version: int
    action: str = "roll_back"


def resumes(configurations: Mapping[int, ExperimentMessage]) -> list[int]:
    """The versions at which people had the experiment run again, or its held ramp go on, ascending."""
    found: list[int] = []
    before, held_at = None, None
    for version in sorted(configurations):
        status, ramp = configurations[version].status, configurations[version].ramp
        went_on = ramp is not None and ramp.held is None and ramp.position == held_at
        if status == "running" and (before not in _NOT_STOPPED or went_on):
            found.append(version)
        before, held_at = status, ramp.position if ramp is not None and ramp.held is not None else None
    return found


def accepted_at(configurations: Mapping[int, ExperimentMessage], earlier: Answered) -> int | None:
    """The version at which people went on after a breach, which accepts what was seen until then; None: none yet."""
    later = [version for version in resumes(configurations) if version > earlier.version]
    if not later:
        return None
    return later[0] if earlier.version else later[-1]


def unaccepted(
    rows: Sequence[MomentRow],
    configurations: Mapping[int, ExperimentMessage],
    earlier: Sequence[Answered],
) -> list[MomentRow]:
    """The rows that may be evidence: of a metric whose breach was accepted, those of units that entered afterwards.

    That costs no error: a second false alarm takes a first one.
    """
    since: dict[str, int] = {}
    for breach in earlier:
        version = accepted_at(configurations, breach)
        if version is not None:
            since[breach.metric_key] = max(since.get(breach.metric_key, 0), version)
    return [row for row in rows if row.version >= since.get(row.metric_key, 0)]


def unanswered(
    found: Sequence[Breach],
    configurations: Mapping[int, ExperimentMessage],
    earlier: Sequence[Answered],
) -> list[Breach]:
    """The breaches about which less was done than is to be done now: not those that were told, and go on."""
    ramp = configurations[max(configurations)].ramp
    done = {
        (breach.metric_key, breach.variant_key, ACTIONS.index(breach.action))
        for breach in earlier
        if accepted_at(configurations, breach) is None
    }
    return [
        breach
        for breach in found
        if not any(
            (breach.metric_key, breach.variant_key, strength) in done
            for strength in range(
                ACTIONS.index(action_of(breach.on_breach, None if ramp is None else ramp.on_breach)),
                len(ACTIONS),
            )
        )
    ]


def strongest(found: Sequence[Breach], ramp_on_breach: str | None) -> str:
    """The one action that these breaches lead to, of at least one: roll_back before pause, hold and alert."""
    return max((action_of(breach.on_breach, ramp_on_breach) for breach in found), key=ACTIONS.index)
