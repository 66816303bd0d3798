"""A life as it goes: configurations, units that enter, and the rows that the warehouse would have of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.random import Generator

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow, QuantileRow
from neonblue.analysis.rows import quantile_level
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.instants import format_instant
from neonblue.contract.messages import ExperimentMessage, VariantMessage
from neonblue.simulation.lives.design import CONTROL, Design
from neonblue.simulation.lives.measures import Drawn, Measure, Sums
from neonblue.statistics import QuantileSummary

FIRST = date(2026, 3, 2)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Units of one arm that entered on one day under one configuration."""

    measure: Measure
    arm: str
    version: int
    entered: date
    drawn: Drawn
    sums: Sums
    finishes_at: datetime | None
    cut_short: bool = False

    def row(self, cap: float | None = None) -> MomentRow:
        sums = self.sums if cap is None else self.measure.sums(self.drawn, cap)
        ratio = self.measure.message.type == "ratio"
        return MomentRow(
            self.measure.key,
            self.measure.message.version,
            self.arm,
            self.version,
            self.entered,
            sums.n,
            sums.total,
            sums.squares,
            denominator=sums.second if ratio else None,
            covariate=None if ratio else sums.second,
            finishes_at=self.finishes_at,
            cut_short=self.cut_short,
            missing=sums.missing,
        )


class Life:
    """One experiment from its start on. day: the open one, from 1 on; versions: its snapshots."""

    def __init__(self, design: Design, random: Generator) -> None:
        self.design, self._random = design, random
        self.day = 0
        self.versions: dict[int, ExperimentMessage] = {}
        self.weights, self.dropped = design.weights, frozenset[str]()
        self._batches: list[_Batch] = []
        self._units: dict[tuple[int, str], int] = defaultdict(int)
        self._watched: dict[tuple[str, str, int], Sums] = {}
        self._configure("running")

    @property
    def newest(self) -> ExperimentMessage:
        """Its state."""
        return self.versions[max(self.versions)]

    @property
    def midnight(self) -> datetime:
        """The begin of the open day."""
        return midnight(self.day)

    def begin_day(self) -> None:
        """The next day, with what the owner does on its morning."""
        self.day += 1
        owner = self.design.owner
        if self.newest.status == "paused" and self.day not in owner.pauses:
            self._configure("running")
        if self.newest.status != "running":
            return
        if self.day in owner.weights or self.day in owner.drops:
            self.weights = owner.weights.get(self.day, self.weights)
            self.dropped |= {owner.drops[self.day]} if self.day in owner.drops else set()
            self._configure("running")
        if self.day in owner.pauses:
            self.stop("paused")

    def stop(self, status: str) -> None:
        """Pause or conclude it now: open windows end without counting."""
        now = self.midnight + timedelta(hours=10)
        self._configure(status, concluded_at=format_instant(now) if status == "concluded" else None)
        self._batches = [
            replace(batch, cut_short=True) if batch.finishes_at and batch.finishes_at > now else batch
            for batch in self._batches
        ]

    def enrol(self, units: int) -> None:
        """So many units more on the open day."""
        level = self.design.levels[self.day - 1]
        shares = np.array(
            [
                w if arm not in self.dropped else 0
                for arm, w in zip(self.design.arms, self.weights, strict=True)
            ],
            dtype=float,
        )
        entered = self._random.multinomial(units, shares / shares.sum())
        version = max(self.versions)
        watched = {metric.key for metric in watched_guardrails(self.newest)}
        for arm, count in zip(self.design.arms, entered.tolist(), strict=True):
            if not count:
                continue
            self._units[version, arm] += count
            for measure in self.design.measures:
                drawn = measure.draw(self._random, arm, count, level)
                self._add(measure, arm, version, drawn)
                if measure.key in watched:
                    place, sums = (measure.key, arm, version), measure.sums(drawn)
                    before = self._watched.get(place)
                    self._watched[place] = sums if before is None else before.plus(sums)

    def rows(self) -> ExperimentRows:
        """As the warehouse has them now."""
        moments = []
        for measure in self.design.measures:
            batches = [batch for batch in self._batches if batch.measure is measure]
            if measure.message.type != "quantile":
                cap = _pooled_cap(measure, batches)
                moments += [batch.row(cap) for batch in batches]
        quantiles = [
            row
            for measure in self.design.measures
            if measure.message.type == "quantile"
            for arm in self.design.arms
            if (row := self._quantile(measure, arm)) is not None
        ]
        units = [ArmUnits(version, arm, count) for (version, arm), count in self._units.items()]
        return ExperimentRows(moments, quantiles, units, exposed=sum(unit.units for unit in units))

    def watched_rows(self) -> list[MomentRow]:
        """As the sensor sums them from the events: it has no covariates."""
        measures = {measure.key: measure for measure in self.design.measures}
        return [
            replace(_Batch(measures[key], arm, version, date.min, _NOBODY, sums, None).row(), covariate=None)
            for (key, arm, version), sums in self._watched.items()
        ]

    def _add(self, measure: Measure, arm: str, version: int, drawn: Drawn) -> None:
        window = measure.message.window_seconds
        finishes = None if window is None else midnight(self.day + 1) + timedelta(seconds=window)
        entered = FIRST + timedelta(days=self.day - 1)
        for at in range(len(self._batches) - 1, -1, -1):
            last = self._batches[at]
            if last.entered != entered:
                break
            if (last.measure, last.arm, last.version) == (measure, arm, version):
                both = last.drawn.with_more(drawn)
                self._batches[at] = replace(last, drawn=both, sums=measure.sums(both))
                return
        self._batches.append(_Batch(measure, arm, version, entered, drawn, measure.sums(drawn), finishes))

    def _quantile(self, measure: Measure, arm: str) -> QuantileRow | None:
        found = [batch.drawn for batch in self._batches if batch.measure is measure and batch.arm == arm]
        values = np.concatenate([drawn.values for drawn in found]) if found else np.array([])
        if values.size < 2:
            return None
        summary = QuantileSummary.from_values(values / 10**measure.places, quantile_level(measure.message))
        return QuantileRow.of(measure.message, arm, summary, missing=sum(drawn.missing for drawn in found))

    def _configure(self, status: str, concluded_at: str | None = None) -> None:
        design, now = self.design, self.midnight + timedelta(hours=10 if concluded_at else 0)
        inference = "confidence_sequence" if design.planned_units is None else "group_sequential"
        self.versions[len(self.versions) + 1] = ExperimentMessage(
            experiment_id=1,
            key="life",
            source="external" if design.imported else "internal",
            unit_type="user",
            population="exposed",
            status=status,
            version=len(self.versions) + 1,
            salt="life",
            allocation=10_000,
            variants=[
                VariantMessage(
                    key=arm, weight=weight, is_control=arm == CONTROL, active=arm not in self.dropped
                )
                for arm, weight in zip(design.arms, self.weights, strict=True)
            ],
            metrics=[measure.message for measure in design.measures],
            planned_units=design.planned_units,
            inference=None if design.imported else inference,
            started_at=format_instant(midnight(1)),
            concluded_at=concluded_at,
            received_at=format_instant(now),
        )


_NOBODY = Drawn(np.zeros(0, dtype=np.int64))


def midnight(day: int) -> datetime:
    """The begin of a life's day."""
    return datetime.combine(FIRST, time(), UTC) + timedelta(days=day - 1)


def _pooled_cap(measure: Measure, batches: list[_Batch]) -> float | None:
    percentile = measure.message.cap_percentile
    if percentile is None or not batches:
        return None
    return float(np.quantile(np.concatenate([batch.drawn.values for batch in batches]), float(percentile)))
