"""What is kept of a look at an experiment under its plan."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from neonblue.contract.instants import format_instant


class LookCell(Struct, frozen=True, kw_only=True):
    """One metric of one treatment at a look, and what stands since.

    n_*: units judged at this look. information: sum over strata of n_c n_t / (n_c + n_t), in units. share: of the plan,
    never below an earlier look's; 0 without a plan. spent: error spent by this comparison, at the plan's alpha. z: the
    deviate of the look's own test, signed as the difference. p_value, log10_p, adjusted_p (within the metric's family)
    and the intervals, of the difference and relative, at `level`: what stands, that of the look that rejected, else of
    this one; in a confidence sequence the smallest p so far and the intersection. difference: at the look whose p
    stands. rejected_at: closed_to of the look that rejected first. guardrail: open, held or breached, what stands;
    empty without a margin.
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

    number: 1, 2, …; closed_to: units and events up to here were judged; taken_at: set by the API.
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


def stored_look(
    experiment: str,
    number: int,
    closed_to: datetime,
    taken_at: datetime,
    configuration_version: int,
    inference: str,
    planned_units: int | None,
    alpha: float,
    cells: str,
) -> LookMessage:
    """The look of a row of `experiment_looks`, in this order of columns. cells: as JSON text; times are aware."""
    return LookMessage(
        experiment=experiment,
        number=number,
        closed_to=format_instant(closed_to),
        taken_at=format_instant(taken_at),
        configuration_version=configuration_version,
        inference=inference,
        planned_units=planned_units,
        alpha=alpha,
        cells=_decode_cells(cells),
    )


_decode_cells = msgspec.json.Decoder(list[LookCell]).decode
