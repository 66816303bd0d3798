"""As of any moment: whose window has ended, whose was cut short, who has no value. From the models to typed rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from neonblue.analysis.rows import ExperimentRows, MomentRow
from neonblue.contract.messages import ExperimentMessage
from neonblue.results.segments import segment_moments
from neonblue.results.sums import read_rows
from neonblue.results.warehouse import Warehouse as Reader
from neonblue.simulation.history.events import History
from neonblue.simulation.history.load import insert_experiments, load
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.dbt_project.expected import Expected
from tests.integration.dbt_project.expected_values import Row, Total, Unit
from tests.integration.dbt_project.raw import paused, raw_rows, sent_while_paused, small_plan, whole_tables

pytestmark = pytest.mark.timeout(900)  # several builds, one after the other

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MODELS = ("+metric_moments", "+segment_metrics")
# When the history's first experiment was paused: within an hour in which units enter.
PAUSED = datetime(2026, 3, 5, 10, 20, tzinfo=UTC)
PAUSE = (1, PAUSED, PAUSED + HOUR)
NOWS = {
    "at a day's end": datetime(2026, 3, 8, tzinfo=UTC),
    "within an hour": datetime(2026, 3, 8, 14, 30, tzinfo=UTC),
    "before some units entered": datetime(2026, 3, 3, 7, 59, 59, 999999, tzinfo=UTC),
    "long after": datetime(2026, 6, 1, tzinfo=UTC),
}
Place = tuple[Any, ...]


@pytest.fixture(scope="module")
def history() -> History:
    return History(small_plan(13))


@pytest.fixture(scope="module")
def built(server_with_models: Warehouse, history: History) -> Warehouse:
    """The models on the history."""
    server_with_models.empty()
    load(server_with_models.client, history)
    insert_experiments(server_with_models.client, paused(history.plan.designs()[0].versions(), PAUSE))
    server_with_models.write("events", sent_while_paused(whole_tables(history)[1], PAUSE))
    server_with_models.dbt("run", "--select", *MODELS)
    return server_with_models


def snapshots(history: History) -> list[list[ExperimentMessage]]:
    """Each experiment's configurations; the first one was paused for an hour."""
    found = [design.versions() for design in history.plan.designs()]
    found[0] += paused(found[0], PAUSE)
    return found


def read(warehouse: Warehouse, history: History, now: datetime) -> dict[int, ExperimentRows]:
    versions = [{one.version: one for one in each} for each in snapshots(history)]
    return read_rows(Reader.of(warehouse.client, live=False), versions, now)


@pytest.fixture(scope="module")
def expected(history: History) -> Expected:
    assignments, events = whole_tables(history)
    more = sent_while_paused(events, PAUSE)
    found = Expected(raw_rows(history, [assignments], [events, more], [PAUSE]))
    without = Expected(raw_rows(history, [assignments], [events], [PAUSE]))
    assert found.first_exposures() == without.first_exposures()
    uncut = Expected(raw_rows(history, [assignments], [events, more]))
    assert found.first_exposures() != uncut.first_exposures(), "they would have brought nobody in"
    return found


class Standing:
    """What is expected of one unit and metric as of `now`, by the hour in which it entered."""

    def __init__(self, metric: Row, experiment_id: int, at: datetime, now: datetime) -> None:
        hour = at.replace(minute=0, second=0, microsecond=0)
        seconds = metric.get("window_seconds")
        self.entered = (hour if seconds else hour.replace(hour=0)) < now
        self.finishes_at = hour + HOUR + timedelta(seconds=seconds) if seconds else None
        self.finished = self.finishes_at is None or self.finishes_at <= now
        self.cut_short = bool(self.finishes_at and experiment_id == 1 and hour < PAUSED < self.finishes_at)

    def look(self, now: datetime) -> datetime | None:
        """The look at which it counts first: the end of the day where that is over."""
        if self.finishes_at is None or not self.finished:
            return None
        midnight = datetime.combine(self.finishes_at, datetime.min.time(), UTC)
        end = midnight if midnight == self.finishes_at else midnight + DAY
        return end if end <= datetime.combine(now, datetime.min.time(), UTC) else self.finishes_at


def standings(expected: Expected, now: datetime) -> Iterable[tuple[Unit, Row, Total, Standing]]:
    metrics = {metric["key"]: metric for metric in expected.metrics}
    for unit, key, total in expected.capped_totals():
        standing = Standing(metrics[key], unit[0], expected.units[unit].at, now)
        if standing.entered:
            yield unit, metrics[key], total, standing


def expected_moments(expected: Expected, now: datetime) -> dict[Place, tuple[Any, ...]]:
    ends: dict[Place, datetime] = {}
    sums: dict[Place, list[Any]] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0)])
    for unit, metric, total, standing in standings(expected, now):
        row = expected.units[unit]
        place = (unit[0], metric["key"], row.variant, row.version, row.at.date(), standing.cut_short)
        place += (standing.look(now),)
        if standing.finishes_at is not None and not standing.finished:
            ends[place] = max(standing.finishes_at, ends.get(place, standing.finishes_at))
        found = sums[place]
        found[0] += not total.missing
        found[1] += total.missing
        found[2] += total.value
        found[3] += total.value**2
    return {(*place[:-1], ends.get(place, place[-1])): tuple(found) for place, found in sums.items()}


@pytest.mark.parametrize("when", NOWS)
def test_the_rows_as_of_a_moment_are_those_of_every_unit_worked_out(
    built: Warehouse, history: History, expected: Expected, when: str
) -> None:
    found = {
        (number, row.metric_key, row.variant_key, row.version, row.exposure_date, row.cut_short, row.finishes_at): (
            row.n,
            row.missing,
            row.sum_value,
            row.sum_squares,
        )
        for number, rows in read(built, history, NOWS[when]).items()
        for row in rows.moments
    }  # fmt: skip

    wanted = expected_moments(expected, NOWS[when])
    assert found == wanted
    assert any(missing for _, missing, *_ in wanted.values())
    assert {place[5] for place in wanted} == {True, False}


@pytest.mark.parametrize("when", NOWS)
def test_quantiles_are_those_of_the_finished_units_that_have_a_value(
    built: Warehouse, history: History, expected: Expected, when: str
) -> None:
    values: dict[tuple[int, str], list[float]] = defaultdict(list)
    unfinished: dict[tuple[int, str], int] = defaultdict(int)
    missing: dict[tuple[int, str], int] = defaultdict(int)
    for unit, metric, total, standing in standings(expected, NOWS[when]):
        if metric["type"] != "quantile":
            continue
        arm = unit[0], expected.units[unit].variant
        if standing.cut_short or not standing.finished:
            unfinished[arm] += 1
        elif total.missing:
            missing[arm] += 1
        else:
            values[arm].append(float(total.value))

    found = {
        (number, row.variant_key): row
        for number, rows in read(built, history, NOWS[when]).items()
        for row in rows.quantiles
    }

    assert found.keys() == {arm for arm, known in values.items() if len(known) > 1}
    for arm, row in found.items():
        assert (row.n, row.unfinished, row.missing) == (len(values[arm]), unfinished[arm], missing[arm])
        assert row.value == pytest.approx(np.quantile(values[arm], 0.9), rel=1e-12)
    assert sum(missing.values()) or when == "before some units entered"


@pytest.mark.parametrize("when", NOWS)
def test_segments_hold_the_same_units_by_version_and_by_whether_they_have_finished(
    built: Warehouse, history: History, expected: Expected, when: str
) -> None:
    now = NOWS[when]
    versions = {one.version: one for one in snapshots(history)[0]}

    found = segment_moments(Reader.of(built.client, live=False), versions, now)

    def units(rows: Iterable[MomentRow]) -> dict[Place, tuple[int, int, Decimal]]:
        sums: dict[Place, tuple[int, int, Decimal]] = defaultdict(lambda: (0, 0, Decimal(0)))
        for row in rows:
            finished = row.finishes_at is None or row.finishes_at <= now
            place = (row.metric_key, row.variant_key, row.version, row.cut_short, finished)
            n, missing, total = sums[place]
            sums[place] = (n + row.n, missing + row.missing, total + row.sum_value)
        return sums

    attributes = {segment.attribute for segment in found}
    assert attributes
    whole = units(read(built, history, now)[1].moments)
    for attribute in attributes:
        parts = [row for segment, rows in found.items() if segment.attribute == attribute for row in rows]
        every_unit_has_it = all(f'"{attribute}"' in (row.attributes or "") for row in expected.units.values())
        assert units(parts) == whole or not every_unit_has_it, attribute


def test_a_warehouse_that_is_built_anew_gives_the_same_rows(built: Warehouse, history: History) -> None:
    before = {when: read(built, history, now) for when, now in NOWS.items()}

    built.dbt("run", "--select", *MODELS, "--full-refresh")

    assert {when: read(built, history, now) for when, now in NOWS.items()} == before
