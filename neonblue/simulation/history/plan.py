"""What a history holds: how long, how much, which experiments, and what truly happens in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from neonblue.contract.messages import DenominatorMessage, ExperimentMessage, MetricMessage, VariantMessage

CONTROL, TREATMENT = "control", "treatment"
EVENTS_PER_USER = 20
_LIFTS = (0.0, 0.05, -0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """A history that ends at `end`. Everything in it follows from these fields.

    late: share of events received up to `late_days` after they happened; duplicates: share of rows that are written
    twice; in_two_arms, never_exposed, erased: shares of units; anonymous: share of the users who come without
    an account first, and are linked with it some time after they entered their first experiment; named: share of events
    that name an experiment.
    """

    seed: int
    events: int
    end: datetime
    days: int = 30
    users: int | None = None
    experiments: int = 5
    first_experiment_id: int = 1
    late: float = 0.01
    late_days: int = 3
    duplicates: float = 0.01
    in_two_arms: float = 0.005
    never_exposed: float = 0.1
    erased: float = 0.002
    anonymous: float = 0.02
    named: float = 0.3

    @property
    def units(self) -> int:
        """How many users there are: one for every twenty events unless said otherwise."""
        return self.users or max(10, self.events // EVENTS_PER_USER)

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=self.days)

    def designs(self) -> list[Design]:
        """The experiments, in the order of their ids."""
        return [
            Design(self.first_experiment_id + number, _LIFTS[number % len(_LIFTS)], self)
            for number in range(self.experiments)
        ]


@dataclass(frozen=True, slots=True)
class Design:
    """One experiment. `lift`: how many more purchases a unit in the treatment makes, relative to control."""

    experiment_id: int
    lift: float
    plan: HistoryPlan = field(repr=False)

    @property
    def key(self) -> str:
        return f"history-{self.plan.seed}-{self.experiment_id}"

    @property
    def population(self) -> str:
        """Every fourth experiment analyses whom it assigned, exposed or not."""
        return "assigned" if self.experiment_id % 4 == 0 else "exposed"

    @property
    def widened_at(self) -> datetime:
        """When version 2 lets all traffic in; before, version 1 lets in half of it."""
        return self.plan.start + timedelta(days=self.plan.days * 0.4)

    def versions(self) -> list[ExperimentMessage]:
        """The configurations that were live, oldest first."""
        return [
            self._message(1, 5_000, self.plan.start),
            self._message(2, 10_000, self.widened_at),
        ]

    def _message(self, version: int, allocation: int, at: datetime) -> ExperimentMessage:
        return ExperimentMessage(
            experiment_id=self.experiment_id,
            key=self.key,
            name=f"History {self.experiment_id}",
            source="internal",
            unit_type="user",
            population=self.population,
            status="running",
            version=version,
            salt=self.key,
            allocation=allocation,
            variants=[
                VariantMessage(key=CONTROL, weight=1, is_control=True),
                VariantMessage(key=TREATMENT, weight=1),
            ],
            metrics=metrics(),
            started_at=text(self.plan.start),
            received_at=text(at),
        )


def metrics() -> list[MetricMessage]:
    """A metric of every kind, with caps, filters and windows; two leave out who did nothing."""
    week, day = 7 * 86400, 86400
    return [
        MetricMessage(
            key="bought", type="proportion", event_type="purchase", aggregation="any", window_seconds=week
        ),
        MetricMessage(
            key="revenue",
            type="mean",
            event_type="purchase",
            aggregation="sum",
            role="secondary",
            cap="150.5",
        ),
        MetricMessage(
            key="orders", type="count", event_type="purchase", aggregation="count", role="secondary"
        ),
        MetricMessage(
            key="order_value",
            type="ratio",
            event_type="purchase",
            aggregation="sum",
            role="secondary",
            denominator=DenominatorMessage(event_type="purchase", aggregation="count"),
        ),
        MetricMessage(
            key="mobile_clicks_per_view",
            type="ratio",
            event_type="click",
            property_filter={"device": "mobile"},
            aggregation="count",
            role="secondary",
            window_seconds=3 * day,
            denominator=DenominatorMessage(
                event_type="page_view", property_filter={"device": "mobile"}, aggregation="count"
            ),
        ),
        MetricMessage(
            key="came_back",
            type="retention",
            event_type="page_view",
            aggregation="any",
            role="secondary",
            window_start_seconds=day,
            window_seconds=week,
        ),
        MetricMessage(
            key="median_revenue",
            type="quantile",
            event_type="purchase",
            aggregation="sum",
            role="secondary",
            quantile="0.9",
            window_seconds=3 * day,
            missing="exclude",
        ),
        MetricMessage(
            key="capped_clicks",
            type="mean",
            event_type="click",
            aggregation="count",
            role="secondary",
            cap_percentile="0.95",
            missing="exclude",
        ),
        MetricMessage(
            key="errors",
            type="proportion",
            event_type="error",
            aggregation="any",
            role="guardrail",
            direction="decrease",
            window_seconds=day,
            margin="0.05",
            cuped=False,
        ),
    ]


def truth(plan: HistoryPlan) -> dict[str, float]:
    """The true relative lift of purchases of each experiment, by its key."""
    return {design.key: design.lift for design in plan.designs()}


def text(moment: datetime) -> str:
    """As times travel in messages."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def generator(plan: HistoryPlan, *part: int) -> np.random.Generator:
    """The draws of one part of the history, independent of every other part."""
    return np.random.default_rng((plan.seed, *part))
