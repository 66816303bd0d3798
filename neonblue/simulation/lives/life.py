"""A life as it goes: configurations, units that enter, and the rows that the warehouse would have of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.random import Generator

from neonblue.analysis import ArmUnits, ExperimentRows, MomentRow, QuantileRow
from neonblue.analysis.rows import quantile_level
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.instants import format_instant
from neonblue.contract.messages import ExperimentMessage, VariantMessage
from neonblue.contract.metric_types import SUMMED
from neonblue.simulation.lives.batches import Batch, Cell, arriving, erase, link, sizes
from neonblue.simulation.lives.design import CONTROL, Design, Later
from neonblue.simulation.lives.measures import Measure
from neonblue.simulation.lives.units import Drawn
from neonblue.statistics import QuantileSummary

FIRST = date(2026, 3, 2)
_HOUR_SECONDS = 3600
RUN_AT = timedelta(hours=1)
"""When the decision run of a day is, after the midnight that ends it."""


class Life:
    """One experiment from its start on. day: the open one, from 1 on; versions: its snapshots.

    removed: arms that lost units of what the last decision run saw; late: metrics and arms whose sums have changed
    since then though their windows had ended.
    """

    def __init__(self, design: Design, random: Generator) -> None:
        self.design, self._random = design, random
        self.day = 0
        self.versions: dict[int, ExperimentMessage] = {}
        self.weights, self.dropped = design.weights, frozenset[str]()
        self.removed: set[str] = set()
        self.late: set[tuple[str, str]] = set()
        self._batches: list[Batch] = []
        self._units: dict[tuple[int, str], int] = defaultdict(int)
        self._several = 0
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
        if self.design.later is not None:
            self._come(self.design.later)
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
        version, later = max(self.versions), self.design.later
        for arm, count in zip(self.design.arms, entered.tolist(), strict=True):
            if not count:
                continue
            self._units[version, arm] += count
            for measure in self.design.measures:
                drawn = measure.draw(self._random, arm, count, level)
                if later is not None:
                    drawn = arriving(self._random, measure, drawn, later, self.day)
                self._add(measure, Cell(self._entered(self.day), version, arm), drawn)

    def rows(self) -> ExperimentRows:
        """As the warehouse has them now."""
        moments = []
        for measure in self.design.measures:
            batches = [batch for batch in self._batches if batch.measure is measure]
            if measure.message.type in SUMMED:
                cap = _pooled_cap(measure, batches)
                moments += [batch.row(cap) for batch in batches]
        quantiles = [
            row
            for measure in self.design.measures
            if measure.message.type not in SUMMED
            for arm in self.design.arms
            if (row := self._quantile(measure, arm)) is not None
        ]
        units = [ArmUnits(version, arm, count) for (version, arm), count in self._units.items()]
        exposed = sum(unit.units for unit in units) + self._several
        return ExperimentRows(moments, quantiles, units, exposed=exposed, several_arms=self._several)

    def watched_rows(self) -> list[MomentRow]:
        """As the sensor sums them, over those that have finished: it has no covariates.

        A window of up to an hour has ended when the units of a part of the day are looked at.
        """
        watched = {metric.key: metric.window_seconds or 0 for metric in watched_guardrails(self.newest)}
        found: dict[tuple[str, str, int], Batch] = {}
        for batch in self._batches:
            window = watched.get(batch.measure.key)
            if window is not None and (window <= _HOUR_SECONDS or batch.finished_by(self.midnight)):
                place = batch.measure.key, batch.cell.arm, batch.cell.version
                before = found.get(place)
                sums = batch.sums if before is None else before.sums.plus(batch.sums)
                found[place] = replace(batch, sums=sums, finishes_at=None, cut_short=False)
        return [replace(batch.row(), covariate=None) for batch in found.values()]

    def _add(self, measure: Measure, cell: Cell, drawn: Drawn) -> None:
        for at in range(len(self._batches) - 1, -1, -1):
            last = self._batches[at]
            if last.cell.entered != cell.entered:
                break
            if last.measure is measure and last.cell == cell:
                self._batches[at] = last.having(last.drawn.with_more(drawn), self.day)
                return
        window = measure.message.window_seconds
        finishes = None if window is None else midnight(self.day + 1) + timedelta(seconds=window)
        self._batches.append(Batch.of(measure, cell, drawn, self.day, finishes))

    def _come(self, later: Later) -> None:
        """What the day before brought to units of the days before it, and who was erased or linked."""
        self.removed, self.late = set(), set()
        running = self.newest.status == "running"
        level = self.design.levels[min(self.day - 2, self.design.days - 1)]
        for at, batch in enumerate(self._batches):
            drawn, before = batch.drawn, batch.cell.entered < self._entered(self.day - 1)
            if later.grows and running and before and batch.finishes_at is None:
                drawn = batch.measure.more(self._random, batch.cell.arm, drawn, level * later.grows)
            if drawn is batch.drawn and not drawn.has_arrivals(self.day):
                continue
            now = batch.having(drawn, self.day)
            published = midnight(self.day - 1) + RUN_AT
            if now.sums != batch.sums and batch.finishes_at and batch.finishes_at <= published:
                self.late.add((batch.measure.key, batch.cell.arm))
            self._batches[at] = now
        if later.erased:
            self._batches, gone = erase(self._random, self._batches, later.erased, self.day)
            self._leave(gone)
        for _ in range(self._random.binomial(sum(self._units.values()), later.linked)):
            self._link()

    def _link(self) -> None:
        found = sizes(self._batches)
        cells, counts = list(found), np.array(list(found.values()), dtype=float)
        first, second = self._random.choice(len(cells), 2, p=counts / counts.sum())
        if first == second and found[cells[first]] < 2:
            return
        self._several += cells[first].arm != cells[second].arm
        pair = cells[first], cells[second]
        self._batches, gone = link(self._random, self._batches, pair, self.day)
        self._leave(gone)

    def _leave(self, gone: dict[Cell, int]) -> None:
        for cell, count in gone.items():
            self._units[cell.version, cell.arm] -= count
            if cell.entered < self._entered(self.day - 1):
                self.removed.add(cell.arm)

    @staticmethod
    def _entered(day: int) -> date:
        return FIRST + timedelta(days=day - 1)

    def _quantile(self, measure: Measure, arm: str) -> QuantileRow | None:
        found = [batch.known for batch in self._batches if batch.measure is measure and batch.cell.arm == arm]
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


def midnight(day: int) -> datetime:
    """The begin of a life's day."""
    return datetime.combine(FIRST, time(), UTC) + timedelta(days=day - 1)


def _pooled_cap(measure: Measure, batches: list[Batch]) -> float | None:
    percentile = measure.message.cap_percentile
    if percentile is None or not batches:
        return None
    return float(np.quantile(np.concatenate([batch.known.values for batch in batches]), float(percentile)))
