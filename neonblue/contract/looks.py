"""One look at an experiment under its plan, as PostgreSQL keeps it and the API hands it out.

A number that does not exist, or is not finite (an open end of an interval), is None.
"""

from __future__ import annotations

from msgspec import Struct


class LookCell(Struct, frozen=True, kw_only=True):
    """One metric of one treatment at a look, and what stands since.

    n_control, n_variant: units judged. information: the sum over the strata of n_c n_t / (n_c + n_t), not negative.
    share: of the planned information, never below an earlier look's; 0 without a plan. spent: what this comparison
    has spent so far of the error at the plan's alpha, 0 to 1. z: the deviate of the look's own test, signed as the
    difference, which is this look's.

    p_value, log10_p and the interval stand: they are of the look that rejected, else of this look; in a confidence
    sequence the smallest p so far and the intersection of the intervals. adjusted_p: within the metric's family.
    level: of the interval. rejected_at: `closed_to` of the look that rejected first. guardrail: open, held or
    breached, whichever stands; empty where the metric is none.
    """

    metric_key: str
    metric_version: int
    variant_key: str
    n_control: int
    n_variant: int
    information: float
    share: float
    spent: float
    z: float | None = None
    p_value: float | None = None
    log10_p: float | None = None
    adjusted_p: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    relative_lower: float | None = None
    relative_upper: float | None = None
    level: float | None = None
    rejected: bool = False
    rejected_at: str | None = None
    guardrail: str = ""
    guardrail_bound: float | None = None
    guardrail_p: float | None = None


class LookMessage(Struct, frozen=True, kw_only=True):
    """One look at an experiment under its plan: taken once, kept for good.

    number: 1, 2, … closed_to: units and events up to this instant were judged. taken_at: set by the API. inference:
    `group_sequential` or `confidence_sequence`. planned_units: the plan's size over all arms. alpha: the plan's.
    """

    experiment: str
    number: int
    closed_to: str
    taken_at: str | None = None
    configuration_version: int
    inference: str
    planned_units: int | None = None
    alpha: float
    cells: list[LookCell] = []
