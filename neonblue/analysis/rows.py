"""What the warehouse knows about one experiment, as typed rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from neonblue.contract.messages import MetricMessage

if TYPE_CHECKING:
    from neonblue.statistics import QuantileSummary

_MEDIAN = 0.5


def quantile_level(metric: MetricMessage) -> float:
    """Which quantile the metric is, in (0, 1): the median where it says none."""
    return _MEDIAN if metric.quantile is None else float(metric.quantile)


@dataclass(frozen=True, slots=True)
class Products:
    """A second value of each unit: its sum, the sum of its squares, and of its products with the metric's value."""

    sum: Decimal
    squares: Decimal
    products: Decimal

    def plus(self, more: Products) -> Products:
        """Over the units of both."""
        return Products(self.sum + more.sum, self.squares + more.squares, self.products + more.products)


NO_PRODUCTS = Products(Decimal(0), Decimal(0), Decimal(0))
"""Of nobody, and of units all of whose second values are 0."""


@dataclass(frozen=True, slots=True)
class MomentRow:
    """One row of `metric_moments`: exact sums over the units of a variant that entered on one day.

    version: of the configuration the units entered under. denominator: of a ratio metric; covariate: the value before
    the exposure; None where the metric has none. finishes_at: when the last of these units' windows ends, None where
    the metric has no window. cut_short: whether a pause or the conclusion fell into their windows, which so never
    count. missing: units of the day that have no value and are in none of the sums, also not in n. just_before: events
    that the metric would count, had they not been stamped shortly before the unit's first exposure.
    """

    metric_key: str
    metric_version: int
    variant_key: str
    version: int
    exposure_date: date
    n: int
    sum_value: Decimal
    sum_squares: Decimal
    denominator: Products | None = None
    covariate: Products | None = None
    finishes_at: datetime | None = None
    cut_short: bool = False
    missing: int = 0
    just_before: int = 0

    @classmethod
    def of(cls, row: Sequence[Any], *, ratio: bool) -> MomentRow:
        """A row as the warehouse's queries give it: key, version, variant, version of entry and day; until when its
        windows last and whether they were cut short; n, missing and the sums; events just before.

        ratio: whether the metric has a denominator. Covariates that are all 0 adjust nothing: they are none.
        """
        metric, version, variant, entered, day, until, cut_short, n, missing, total, squares = row[:11]
        denominator, covariate = Products(*row[11:14]), Products(*row[14:17])
        return cls(
            metric,
            version,
            variant,
            entered,
            day,
            n,
            total,
            squares,
            denominator=denominator if ratio else None,
            covariate=covariate if covariate.squares else None,
            finishes_at=None if until is None else until.replace(tzinfo=UTC),
            cut_short=bool(cut_short),
            missing=missing,
            just_before=row[17],
        )


@dataclass(frozen=True, slots=True)
class QuantileRow:
    """One arm's quantile of a metric over its finished units, with the sample quantiles at the levels that bound it.

    unfinished: units of the arm whose window had not ended, or was cut short; missing: units without a value.
    interpolated: values around it are equal, see `QuantileSummary`.
    """

    metric_key: str
    metric_version: int
    variant_key: str
    n: int
    value: float
    lower: float
    upper: float
    unfinished: int = 0
    missing: int = 0
    interpolated: bool = False

    @classmethod
    def of(
        cls,
        metric: MetricMessage,
        variant: str,
        found: QuantileSummary,
        unfinished: int = 0,
        missing: int = 0,
    ) -> QuantileRow:
        """What a summary of the arm's units says."""
        return cls(
            metric.key,
            metric.version,
            variant,
            found.n,
            found.value,
            found.lower,
            found.upper,
            unfinished,
            missing,
            found.interpolated,
        )


@dataclass(frozen=True, slots=True)
class ArmUnits:
    """Units of one arm that entered under one configuration version."""

    version: int
    variant_key: str
    units: int


@dataclass(frozen=True, slots=True)
class ExperimentRows:
    """All sums of one experiment.

    exposed: units with an exposure, also those met in several arms; several_arms: those alone. assigned: units with an
    assignment, exposed or not.
    """

    moments: list[MomentRow] = field(default_factory=list)
    quantiles: list[QuantileRow] = field(default_factory=list)
    units: list[ArmUnits] = field(default_factory=list)
    exposed: int = 0
    several_arms: int = 0
    assigned: int = 0
