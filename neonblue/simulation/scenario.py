"""An experiment whose truth is known: what each unit does in each arm, from a seed alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from neonblue.client import Metric, NewExperiment, Variant

CONTROL, TREATMENT = "control", "treatment"
METRICS = [
    Metric(key="conversion", type="proportion", event_type="purchase", aggregation="any"),
    Metric(key="revenue", type="mean", event_type="purchase", aggregation="sum", role="secondary"),
    Metric(
        key="errors",
        type="proportion",
        event_type="error",
        aggregation="any",
        role="guardrail",
        direction="decrease",
    ),
]


@dataclass(frozen=True, slots=True)
class Arm:
    """Rates of one arm: buying at all, the mean of an order (log-normal), meeting an error."""

    conversion: float
    order_mean: float
    error: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one unit does: views and clicks, the value of its order (None: no order), whether an error."""

    views: int
    clicks: int
    order: Decimal | None
    error: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """A checkout that sells more, and breaks more often: the guardrail should catch that."""

    seed: int = 1
    control: Arm = Arm(conversion=0.10, order_mean=40.0, error=0.03)
    treatment: Arm = Arm(conversion=0.12, order_mean=42.0, error=0.045)
    order_sigma: float = 0.6
    views: float = 4.0
    clicks: float = 2.0

    @property
    def events_per_unit(self) -> float:
        """Expected events of a unit, its exposure included."""
        return 1 + self.views + self.clicks + self.control.conversion + self.control.error

    def truth(self) -> dict[str, float]:
        """The difference treatment minus control of each metric, in the population of all units."""
        control, treatment = self.control, self.treatment
        return {
            "conversion": treatment.conversion - control.conversion,
            "revenue": treatment.conversion * treatment.order_mean - control.conversion * control.order_mean,
            "errors": treatment.error - control.error,
        }

    def experiment(self, key: str) -> NewExperiment:
        """The draft. The salt depends on the seed alone, so that every run gives a unit the same arm."""
        return NewExperiment(
            key=key,
            name="A shorter checkout",
            hypothesis="Fewer steps sell more, and break no more often.",
            salt=f"simulation-{self.seed}",
            variants=[Variant(CONTROL, 1, is_control=True), Variant(TREATMENT, 1)],
            metrics=METRICS,
        )

    def user_id(self, number: int) -> str:
        """The name of the unit with this number."""
        return f"visitor-{self.seed}-{number}"

    def outcome(self, number: int, variant: str) -> Outcome:
        """What this unit does in this arm; it depends on nothing else."""
        arm = self.treatment if variant == TREATMENT else self.control
        draws = np.random.default_rng((self.seed, number))
        buys, errs, spread = draws.random(), draws.random(), draws.standard_normal()
        order = arm.order_mean * math.exp(self.order_sigma * spread - self.order_sigma**2 / 2)
        return Outcome(
            views=int(draws.poisson(self.views)),
            clicks=int(draws.poisson(self.clicks)),
            order=Decimal(f"{order:.2f}") if buys < arm.conversion else None,
            error=bool(errs < arm.error),
        )


def numbers(count: int, at_once: int) -> Iterator[range]:
    """Unit numbers 0 to `count`, so many at once."""
    for start in range(0, count, at_once):
        yield range(start, min(start + at_once, count))
