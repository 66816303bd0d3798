"""Experiments day by day, for tests of what is decided over their lives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow
from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage

FIRST = date(2026, 3, 1)
CONVERSION = MetricMessage(key="conv", type="proportion", event_type="purchase", aggregation="any")


def day(number: int) -> date:
    """The experiment's day, from 1 on."""
    return FIRST + timedelta(days=number - 1)


def midnight(number: int) -> datetime:
    """The begin of the day."""
    return datetime.combine(day(number), time(), UTC)


def configuration(
    version: int = 1,
    arms: Sequence[tuple[str, int, bool]] = (("control", 1, True), ("t", 1, True)),
    metrics: tuple[MetricMessage, ...] = (CONVERSION,),
    **fields: Any,
) -> ExperimentMessage:
    """A snapshot. arms: key, weight and whether it is active, control first."""
    given: dict[str, Any] = {
        "source": "internal",
        "status": "running",
        "inference": "group_sequential" if fields.get("planned_units") else "confidence_sequence",
        "received_at": "2026-03-01T00:00:00.000000Z",
        **fields,
    }
    return ExperimentMessage(
        experiment_id=1,
        key="life",
        unit_type="user",
        population="exposed",
        version=version,
        salt="s",
        allocation=10_000,
        variants=[
            VariantMessage(key=key, weight=weight, is_control=place == 0, active=active)
            for place, (key, weight, active) in enumerate(arms)
        ],
        metrics=list(metrics),
        **given,
    )


def counted(
    arm: str, entered: date, n: int, successes: int, version: int = 1, metric: str = "conv", **fields: Any
) -> MomentRow:
    """Units of one arm that entered on one day, and how many of them did it."""
    return MomentRow(metric, 1, arm, version, entered, n, Decimal(successes), Decimal(successes), **fields)


def valued(
    arm: str, entered: date, n: int, total: float, squares: float, metric: str, version: int = 1
) -> MomentRow:
    """Units of one arm that entered on one day, with the sum of their values and of the squares."""
    return MomentRow(metric, 1, arm, version, entered, n, Decimal(str(total)), Decimal(str(squares)))


def rows_of(moments: Sequence[MomentRow], metric: str = "conv") -> ExperimentRows:
    """With the units that entered, counted from one metric's rows."""
    units = [
        ArmUnits(row.version, row.variant_key, row.n + row.missing)
        for row in moments
        if row.metric_key == metric
    ]
    return ExperimentRows(moments=list(moments), units=units, exposed=sum(unit.units for unit in units))
