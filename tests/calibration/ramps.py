"""Whole ramps at the level of values: how often a harmless one is stopped, and how soon a harmful one.

Each look sums up all that has come so far, asks the watch on guardrails and the planner, and does what they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from neonblue.analysis import MomentRow
from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage
from neonblue.guardrails.breaches import breaches
from neonblue.ramps.plan import READY_MADE, Ramp
from neonblue.ramps.planner import Action, Breached, Evidence, Standing, next_action

UNITS_A_DAY = 20_000
LOOKS_A_DAY = 8
LONGEST_DAYS = 8
_START = datetime(2026, 3, 2, tzinfo=UTC)
_STEP = timedelta(days=1) / LOOKS_A_DAY
_ARMS = ("control", "treatment")
_LIMIT = 0.05
_SIMS = 2_000

Sums: TypeAlias = dict[tuple[int, str, str], NDArray[np.float64]]
"""n, sum and sum of squares by version, metric and arm."""


@dataclass(frozen=True)
class Outcome:
    """How a ramp ended: the share it reached, in basis points, and whether a breach stopped it."""

    share: int
    breached: bool


@dataclass(frozen=True)
class Played:
    """Many ramps of one kind. promised: the largest share of them that a breach may stop; None: it is to stop them."""

    what: str
    outcomes: Sequence[Outcome]
    promised: float | None

    @property
    def breached(self) -> float:
        """The share of ramps that a breach stopped."""
        return sum(outcome.breached for outcome in self.outcomes) / len(self.outcomes)

    @property
    def holds(self) -> bool:
        return self.promised is None or self.breached <= self.promised


def measure(scale: float = 1.0) -> Iterator[Played]:
    """Harmless ramps, and harmful ones; scale 1 takes minutes."""
    sims = max(round(_SIMS * scale), 10)
    yield Played("harmless", [play(seed, 1.0) for seed in range(sims)], _LIMIT)
    for harm in (1.2, 1.5):
        what = f"errors × {harm:g} in the treatment"
        yield Played(what, [play(seed, harm) for seed in range(max(sims // 10, 10))], None)


def play(seed: int, harm: float) -> Outcome:
    """One ramp `standard` under five watched metrics, looked at eight times a day."""
    rng, now = np.random.default_rng([2026, seed]), _START
    ramp = Ramp(READY_MADE["standard"].steps)
    state = Standing(share=ramp.steps[0].share, position=1, since=now)
    sums: Sums = {}
    for _ in range(LONGEST_DAYS * LOOKS_A_DAY):
        _arrive(rng, sums, state, harm)
        now += _STEP
        found = breaches(_experiment(state.position), _rows(sums), _versions(state.position))
        units = int(sum(values[0] for (_, name, _), values in sums.items() if name == METRICS[0].key))
        evidence = Evidence(units, [Breached("pause", breach.reason) for breach in found])
        step = next_action(ramp, state, now, evidence)
        if step.action is Action.PAUSE:
            return Outcome(state.share, breached=True)
        if step.action is Action.ADVANCE:
            state = replace(state, share=step.share or 0, position=step.position or 0, since=now)
    return Outcome(state.share, breached=False)


def markdown(rows: Sequence[Played]) -> str:
    """The table."""
    lines = [
        "| ramps `standard` | how many | stopped by a breach | promised | holds | "
        "share at the breach: median, 90th percentile |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        stopped = [outcome.share / 100 for outcome in row.outcomes if outcome.breached]
        reached = ", ".join(f"{np.quantile(stopped, q):.0f} %" for q in (0.5, 0.9)) if stopped else "-"
        promised = "-" if row.promised is None else f"≤ {row.promised:.1%}"
        lines.append(
            f"| {row.what} | {len(row.outcomes):,} | {row.breached:.1%} | {promised} | "
            f"{'yes' if row.holds else '**no**'} | {reached} |"
        )
    return "\n".join(lines)


def _metric(key: str, kind: str, aggregation: str, direction: str) -> MetricMessage:
    return MetricMessage(
        key=key, type=kind, role="guardrail", direction=direction, event_type=key, aggregation=aggregation,
        window_seconds=600,
    )  # fmt: skip


METRICS = (
    _metric("errors", "proportion", "any", "decrease"),
    _metric("finished", "proportion", "any", "increase"),
    _metric("pages", "count", "count", "increase"),
    _metric("seconds", "mean", "sum", "decrease"),
    _metric("revenue", "mean", "sum", "increase"),
)
"""Without a margin, so that an arm that does as well as control is the nearest to an alarm that is harmless."""


def _values(rng: np.random.Generator, key: str, n: int, harm: float) -> NDArray[np.float64]:
    if key == "errors":
        return (rng.random(n) < 0.05 * harm).astype(float)
    if key == "finished":
        return (rng.random(n) < 0.3).astype(float)
    if key == "pages":
        return rng.negative_binomial(1, 0.2, n).astype(float)
    if key == "seconds":
        return np.round(rng.lognormal(3.0, 0.8, n), 6)
    return np.where(rng.random(n) < 0.05, np.round(rng.lognormal(3.5, 1.0, n), 6), 0.0)


def _arrive(rng: np.random.Generator, sums: Sums, state: Standing, harm: float) -> None:
    """What comes between two looks, under the present version."""
    expected = UNITS_A_DAY / LOOKS_A_DAY * state.share / 10_000 / len(_ARMS)
    for arm in _ARMS:
        n = int(rng.poisson(expected))
        for metric in METRICS:
            values = _values(rng, metric.key, n, harm if arm == "treatment" else 1.0)
            place = (state.position, metric.key, arm)
            found = np.array([n, values.sum(), (values * values).sum()])
            sums[place] = sums.get(place, np.zeros(3)) + found


def _rows(sums: Sums) -> list[MomentRow]:
    return [
        MomentRow(key, 1, arm, version, date.min, int(n), Decimal(total), Decimal(squares))
        for (version, key, arm), (n, total, squares) in sums.items()
    ]


def _experiment(version: int) -> ExperimentMessage:
    return ExperimentMessage(
        experiment_id=1, key="ramp", source="internal", unit_type="user", population="exposed", status="running",
        version=version, salt="s", allocation=READY_MADE["standard"].steps[version - 1].share,
        variants=[VariantMessage(key=arm, weight=1, is_control=arm == "control") for arm in _ARMS],
        metrics=list(METRICS), inference="confidence_sequence", started_at="2026-03-02T00:00:00Z",
        received_at="2026-03-02T00:00:00Z",
    )  # fmt: skip


def _versions(newest: int) -> dict[int, ExperimentMessage]:
    return {version: _experiment(version) for version in range(1, newest + 1)}
