"""What an import will send: decided from the whole file, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from neonblue.client import Metric, NewAssignment, NewEvent, NewExperiment, Variant
from neonblue.simulation.metrics import MetricColumn, metrics_of
from neonblue.statistics.experiment.health import multiply_exposed
from neonblue.statistics.experiment.missing import Missing
from neonblue.tables.arms import choose_control, weights_by_arm
from neonblue.tables.blanks import Blanks, counted_as_zero, left_out, require_policies
from neonblue.tables.errors import FileError
from neonblue.tables.outcomes import Kind
from neonblue.tables.reading import FileReading, Sheet, read_rows
from neonblue.tables.scan import Reading
from neonblue.tables.table import Table

NAMESPACE = UUID("6c1f2b0e-9a54-5e55-8f0a-2f6d3b7f1c11")
"""Of the ids of imported events: UUIDv5 of file digest, row and metric."""

OUTCOME_DELAY = timedelta(seconds=1)
"""Outcomes count from the exposure on; a row has one time, so they are set shortly after it."""


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """How a unit enters: the row that names it first, and its earliest time."""

    row: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """The file as it was read, its metrics, and each unit's entry by the unit's code."""

    reading: FileReading
    metrics: tuple[MetricColumn, ...]
    entries: Mapping[int, UnitEntry]
    start: datetime | None

    @property
    def table(self) -> Table:
        return self.reading.sheet.table

    @property
    def variants(self) -> dict[str, str]:
        """The arms' keys by their names in the file."""
        return self.reading.keys

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return self.reading.scan.rows

    @property
    def rejections(self) -> dict[int, str]:
        """Why rows are left out, by row."""
        return {row: problem.text for row, problem in self.reading.scan.problems.items()}

    def experiment(self, key: str, weights: Mapping[str, int]) -> NewExperiment:
        """The draft to create. Raises FileError where the control is unclear."""
        control = choose_control(self.variants, self.reading.sheet.options.control)
        shares = weights_by_arm(self.variants, weights)
        return NewExperiment(
            key=key,
            name=experiment_name(self.table),
            source="external",
            variants=[
                Variant(name, shares[raw], is_control=raw == control, name=raw)
                for raw, name in self.variants.items()
            ],
            metrics=[definition(metric) for metric in self.metrics],
        )

    def readings(self) -> Iterator[Reading]:
        """The good rows again, in the order of the file."""
        return self.reading.scan.good()

    def assignment(self, key: str, reading: Reading) -> NewAssignment | None:
        """The unit's assignment, from the first row that names it."""
        entry = self.entries[reading.code]
        if entry.row != reading.row:
            return None
        variant = self.variants[reading.arm]
        return NewAssignment(experiment=key, user_id=reading.unit, variant_key=variant, timestamp=entry.time)

    def events(self, experiment_id: int, reading: Reading) -> Iterator[NewEvent]:
        """An event for each value, but for a 0 where a unit without events counts 0 all the same.

        Its id is made from experiment, file and cell: the same import again stores nothing, the same file under another
        key is an experiment of its own.
        """
        prefix = f"{experiment_id}:{self.table.source.digest}"
        for metric, value in zip(self.metrics, reading.values, strict=True):
            if value is None or (value == 0 and not metric.excludes):
                continue
            yield NewEvent(
                id=str(uuid5(NAMESPACE, f"{prefix}:{reading.row}:{metric.column.name}:{metric.name}")),
                user_id=reading.unit,
                event_type=metric.name,
                timestamp=_time(reading, self.start) + OUTCOME_DELAY,
                experiment_id=experiment_id,
                value=value if metric.has_value else None,
            )

    def notes(self) -> Iterator[str]:
        """What becomes of each metric's blank cells, in words."""
        scan = self.reading.scan
        for at, metric in enumerate(self.metrics):
            blank = {arm: scan.blanks.get((at, arm), 0) for arm in self.variants}
            if total := sum(blank.values()):
                yield (
                    left_out(metric.name, blank, scan.arms)
                    if metric.excludes
                    else counted_as_zero(metric.name, total)
                )


def make_plan(sheet: Sheet, missing: Sequence[str] = (), lower: Sequence[str] = ()) -> Plan:
    """Read the whole file. lower: metrics of which less is better. Raises FileError where it gives no experiment."""
    if sheet.roles.time is None and sheet.options.start is None:
        raise FileError("--start: the file has no column of times, say when it began (or name --time)")
    found = metrics_of(sheet, sheet.options.metrics, missing, lower)
    start, entries = sheet.options.start, dict[int, UnitEntry]()

    def enter(reading: Reading) -> None:
        time, known = _time(reading, start), entries.get(reading.code)
        if known is None:
            entries[reading.code] = UnitEntry(reading.row, time)
        elif time < known.time:
            entries[reading.code] = replace(known, time=time)

    reading = read_rows(sheet, [metric.column for metric in found], enter)
    _check_missing(found, reading)
    _check_crossed(reading)
    return Plan(reading, found, entries, start)


def experiment_name(table: Table) -> str:
    """Names the content too, so that another file under the same key is noticed."""
    return f"{table.source.short_name} (sha256 {table.source.digest[:16]})"


def _time(reading: Reading, start: datetime | None) -> datetime:
    time = reading.time or start
    assert time is not None  # noqa: S101 - a plan has one or the other
    return time


def _check_missing(metrics: Sequence[MetricColumn], reading: FileReading) -> None:
    """FileError where it must be said what blank cells count as, or what was said can't be done."""
    scan = reading.scan
    rows = scan.arms.total()
    count = [sum(scan.blanks[at, arm] for arm in scan.arms) for at in range(len(metrics))]
    require_policies(
        Blanks(metric.name, blank, rows)
        for metric, blank in zip(metrics, count, strict=True)
        if metric.missing is None
    )
    for metric in metrics:
        if metric.excludes and metric.column.kind is Kind.PROPORTION and reading.units < rows:
            raise FileError(
                f"--missing: {metric.name} is a share of units, and units have several rows: blanks can be left out "
                f"with one row per unit, or of a sum (--metric {metric.name}={metric.column.name}:mean)"
            )


def _check_crossed(reading: FileReading) -> None:
    """FileError where so many units are in several arms that an analysis of the file would be invalid."""
    crossed = len(reading.scan.crossed)
    if not crossed or reading.sheet.options.skip_bad_rows:
        return
    check = multiply_exposed(crossed, reading.units + crossed)
    if not check.passed:
        raise FileError(
            f"{reading.sheet.table.source.name}: {check.message} "
            "Mend the file, or say --skip-bad-rows to leave their rows out"
        )


def definition(metric: MetricColumn) -> Metric:
    """The metric as the platform keeps it."""
    return Metric(
        key=metric.name,
        type=(Kind.MEAN if metric.has_value else Kind.PROPORTION).value,
        event_type=metric.name,
        aggregation="sum" if metric.has_value else "any",
        role="primary" if metric.decides else "secondary",
        direction="decrease" if metric.lower else "increase",
        missing=(Missing.EXCLUDE if metric.excludes else Missing.ZERO).value,
    )
