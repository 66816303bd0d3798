"""Whole lives of experiments drawn at random: what units brought, what owners did, and when somebody looked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow
from neonblue.analysis.rows import Products
from neonblue.contract.messages import DenominatorMessage, ExperimentMessage, MetricMessage
from tests.unit.analysis.lives import configuration, day, midnight

_SHARES = (
    (1, 1),
    (9, 1),
    (99, 1),
    (1, 9),
    (1, 1, 1),
    (8, 1, 1),
    (1, 1, 1, 1),
    (1, 1, 1, 1, 1),
    (96, 1, 1, 1, 1),
)
_KINDS = ("proportion", "mean", "ratio")


@dataclass(frozen=True, slots=True)
class Occasion:
    """A moment in the life: a decision run or a page opened. configurations, rows: what is known then."""

    today: int
    hours: float
    taking: bool
    configurations: dict[int, ExperimentMessage]
    rows: ExperimentRows


class Life:
    """One experiment's life. It has a plan with a size, none (a confidence sequence), or was collected elsewhere."""

    def __init__(self, seed: int) -> None:
        random = self.random = np.random.default_rng(seed)
        self.dropped: set[str] = set()
        self.moments: list[MomentRow] = []
        self.versions: dict[int, ExperimentMessage] = {}
        self.weights = _SHARES[random.integers(len(_SHARES))]
        self.arms = ("control", *(f"t{place}" for place in range(1, len(self.weights))))
        self.last = int(random.integers(3, 9))
        self.per_day = int(random.choice([0, 20, 300, 1500, 4000]))
        self.metrics = _metrics(random)
        self.effect = float(random.choice([0.0, 0.0, 0.1, -0.1, 0.6, -0.6]))
        self.rate = float(random.choice([0.0, 0.002, 0.1, 0.5, 1.0]))
        planned = round(self.per_day * self.last * random.choice([0.3, 0.7, 1.0, 2.0, 50.0]))
        kind = random.choice(["planned", "planned", "planned", "sequence", "sequence", "external", "fixed"])
        self.plan: dict[str, Any] = {"planned_units": max(planned, 1)} if kind == "planned" else {}
        if kind == "external":
            self.plan = {"source": "external", "inference": None}
        if kind == "fixed":
            self.plan = {"planned_units": max(planned, 1), "inference": None}
        self.peeking = bool(random.random() < 0.3)
        self._configure(1, "running")

    def occasions(self) -> list[Occasion]:
        """Everything that happens, from the first day to days after the end."""
        found: list[Occasion] = []
        random = self.random
        for today in range(1, self.last + 4):
            if today > 1:
                found += self._looks(today, 0.3)
            self._owner(today)
            if self.status == "running" and random.random() < 0.85:
                self._enrol(today)
            if self.moments and random.random() < 0.15:
                self._late()
            if random.random() < 0.5:
                found.append(self._occasion(today, 12.0, taking=False))
        return found

    def _looks(self, today: int, hours: float) -> list[Occasion]:
        if self.random.random() < 0.1:
            return []
        found = [self._occasion(today, hours, taking=True)]
        if self.random.random() < 0.4:
            found.append(self._occasion(today, hours + 1, taking=True))
        return found

    def _occasion(self, today: int, hours: float, *, taking: bool) -> Occasion:
        return Occasion(today, hours, taking, dict(self.versions), self.rows())

    def rows(self) -> ExperimentRows:
        """As the warehouse has them now."""
        first = self.metrics[0].key
        units = [
            ArmUnits(row.version, row.variant_key, row.n + row.missing)
            for row in self.moments
            if row.metric_key == first
        ]
        return ExperimentRows(list(self.moments), units=units, exposed=sum(unit.units for unit in units))

    def _owner(self, today: int) -> None:
        random = self.random
        if self.status == "concluded":
            return
        if today > self.last or (self.peeking and today > 2 and random.random() < 0.3):
            self._configure(today, "concluded", concluded_at=_text(today, 10))
            self._cut(today)
            return
        if self.status == "paused":
            if random.random() < 0.6:
                self._configure(today, "running")
            return
        if random.random() < 0.1:
            self._configure(today, "paused")
            self._cut(today)
        elif len(self.arms) > 2 and random.random() < 0.2:
            self.dropped.add(str(random.choice(self.arms[1:])))
            self._configure(today, "running")
        elif random.random() < 0.15:
            self.weights = tuple(int(weight) for weight in random.integers(1, 30, len(self.arms)))
            self._configure(today, "running")

    def _configure(self, today: int, status: str, **fields: Any) -> None:
        self.status = status
        self.version = len(self.versions) + 1
        arms = [
            (arm, weight, arm not in self.dropped)
            for arm, weight in zip(self.arms, self.weights, strict=True)
        ]
        self.versions[self.version] = configuration(
            self.version,
            arms,
            tuple(self.metrics),
            **{**self.plan, "status": status, "received_at": _text(today, 10), **fields},
        )

    def _cut(self, today: int) -> None:
        moment = midnight(today) + timedelta(hours=10)
        self.moments = [
            replace(row, cut_short=True) if row.finishes_at is not None and row.finishes_at > moment else row
            for row in self.moments
        ]

    def _enrol(self, today: int) -> None:
        random = self.random
        shares = np.array(
            [
                0 if arm in self.dropped else weight
                for arm, weight in zip(self.arms, self.weights, strict=True)
            ],
            dtype=float,
        )
        entered = random.multinomial(random.poisson(self.per_day), shares / shares.sum())
        level = self.rate * (1.0 if today < 4 else 0.7)
        for arm, units in zip(self.arms, entered, strict=True):
            if units:
                lift = 1.0 if arm == "control" else 1 + self.effect
                self.moments += [
                    self._row(metric, arm, today, int(units), level * lift) for metric in self.metrics
                ]

    def _row(self, metric: MetricMessage, arm: str, today: int, units: int, level: float) -> MomentRow:
        random = self.random
        missing = int(random.binomial(units, 0.2)) if metric.missing == "exclude" else 0
        n, rate = units - missing, min(level, 1.0)
        fields: dict[str, Any] = {"missing": missing}
        if metric.window_seconds is not None:
            fields["finishes_at"] = midnight(today) + timedelta(days=1, seconds=metric.window_seconds)
        if metric.type == "proportion":
            values = (random.random(n) < rate).astype(int)
        else:
            values = random.poisson(3 * rate, n) * (
                random.integers(1, 40, n) if metric.key.endswith("skew") else 1
            )
        if metric.type == "ratio":
            fields["denominator"] = _products(values, random.poisson(2.0, n))
        if metric.type == "mean" and metric.cuped:
            fields["covariate"] = _products(values, values + random.poisson(2.0, n))
        total, squares = Decimal(int(values.sum())), Decimal(int((values**2).sum()))
        return MomentRow(metric.key, 1, arm, self.version, day(today), n, total, squares, **fields)

    def _late(self) -> None:
        """Events that arrive late change a day that was closed: more successes, or units that are erased."""
        at = int(self.random.integers(len(self.moments)))
        row = self.moments[at]
        if row.denominator is not None or row.covariate is not None or row.n < 2:
            return
        if self.random.random() < 0.5:
            more = min(int(row.n - row.sum_value), 5) if row.sum_squares == row.sum_value else 0
            changed = replace(row, sum_value=row.sum_value + more, sum_squares=row.sum_squares + more)
        else:
            changed = replace(row, n=row.n // 2, sum_value=row.sum_value // 2, sum_squares=row.sum_squares)
            if row.sum_squares == row.sum_value:
                changed = replace(changed, sum_squares=changed.sum_value)
        self.moments[at] = changed


def _metrics(random: np.random.Generator) -> list[MetricMessage]:
    roles = ["primary"] * int(random.integers(0, 3)) + ["secondary"] * int(random.integers(0, 3))
    roles += ["guardrail"] * int(random.integers(0, 3))
    found = []
    for number, role in enumerate(roles or ["primary"]):
        kind = str(random.choice(_KINDS))
        margin = (
            str(random.choice(["0.01", "0.1", "0.4"]))
            if role == "guardrail" and random.random() < 0.6
            else None
        )
        found.append(
            MetricMessage(
                key=f"m{number}_{random.choice(['plain', 'skew'])}",
                type=kind,
                role=role,
                direction=str(random.choice(["increase", "decrease"])),
                event_type="e",
                aggregation="any" if kind == "proportion" else "sum",
                denominator=DenominatorMessage(event_type="d", aggregation="count")
                if kind == "ratio"
                else None,
                window_seconds=int(random.choice([3600, 86_400, 172_800])) if random.random() < 0.4 else None,
                margin=margin,
                margin_relative=bool(random.random() < 0.7),
                cuped=bool(random.random() < 0.3),
                missing="exclude" if kind != "ratio" and random.random() < 0.2 else "zero",
            )
        )
    return found


def _products(values: Any, seconds: Any) -> Products:
    sums = seconds.sum(), (seconds**2).sum(), (seconds * values).sum()
    return Products(*(Decimal(int(value)) for value in sums))


def _text(today: int, hour: int) -> str:
    return (midnight(today) + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
