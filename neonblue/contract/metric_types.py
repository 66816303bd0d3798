"""The types of metric: what each is made of, needs and allows. Every list of types follows from this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricType:
    """What is made of a unit's events, and how arms are compared by it.

    judged_as: the statistics engine's kind, by its name. aggregations: what it may make of the events of its event
    type; below: the same of its denominator's, none where it divides by nothing. which_quantile: whether it says which
    quantile it is. covariate: whether the value before the exposure reduces its variance, where `cuped` is set. capped:
    whether a unit's total may have a cap. later: whether its window has to start after the exposure, and to end.
    summed: whether sums over units say all of it; else it takes the units' values.
    """

    judged_as: str
    aggregations: tuple[str, ...]
    below: tuple[str, ...] = ()
    which_quantile: bool = False
    covariate: bool = False
    capped: bool = False
    later: bool = False
    summed: bool = True

    @property
    def is_rate(self) -> bool:
        """Whether a unit's value is 0 or 1, so that the metric is a share of units."""
        return self.judged_as == "proportion"

    @property
    def can_exclude(self) -> bool:
        """Whether units without such an event may be left out: a rate and a ratio are about them too."""
        return not self.is_rate and not self.below

    @property
    def components(self) -> tuple[str, ...]:
        """What is made of a unit's events: one total each, of its own event type."""
        return ("value", "denominator") if self.below else ("value",)


METRIC_TYPES: Mapping[str, MetricType] = MappingProxyType(
    {
        "proportion": MetricType(judged_as="proportion", aggregations=("any",)),
        "mean": MetricType(judged_as="mean", aggregations=("count", "sum"), covariate=True, capped=True),
        "ratio": MetricType(judged_as="ratio", aggregations=("count", "sum"), below=("count", "sum")),
        "count": MetricType(judged_as="mean", aggregations=("count",), covariate=True, capped=True),
        "retention": MetricType(judged_as="proportion", aggregations=("any",), later=True),
        "quantile": MetricType(
            judged_as="quantile", aggregations=("count", "sum"), which_quantile=True, summed=False
        ),
    }
)
"""By the name that a definition gives as its `type`."""


def types_that(has: Callable[[MetricType], object]) -> frozenset[str]:
    """The names of the types of which it is true."""
    return frozenset(name for name, one in METRIC_TYPES.items() if has(one))


RATES = types_that(lambda one: one.is_rate)
DIVIDED = types_that(lambda one: one.below)
SUMMED = types_that(lambda one: one.summed)
ADJUSTED = types_that(lambda one: one.covariate)
CAPPED = types_that(lambda one: one.capped)

AGGREGATIONS = tuple(dict.fromkeys(name for one in METRIC_TYPES.values() for name in one.aggregations))
"""All that a type makes of the events of its event type."""

DENOMINATOR_AGGREGATIONS = tuple(dict.fromkeys(name for one in METRIC_TYPES.values() for name in one.below))
"""All that a type makes of the events it divides by."""
