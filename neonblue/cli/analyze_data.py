"""From the file of ``neonblue analyze`` to an experiment."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neonblue.cli.analyze_caps import CapNote, cap_notes, caps_of
from neonblue.cli.analyze_columns import Roles, columns_of, metrics_of, values_of
from neonblue.cli.analyze_missing import MissingNote, missing_notes, require_missing
from neonblue.statistics import Experiment, MetricKind
from neonblue.statistics.experiment.from_table import (
    Capping,
    MetricColumns,
    RowError,
    UnitTable,
    experiment_from_sums,
    experiment_from_units,
    kind_of_row,
)
from neonblue.tables.arms import arm_keys, choose_control, weights_by_arm
from neonblue.tables.blanks import Policies
from neonblue.tables.cells import is_blank, plain
from neonblue.tables.errors import FileError, at
from neonblue.tables.reading import FileReading, Sheet, read_rows
from neonblue.tables.report import FileReport
from neonblue.tables.roles import Options as FileOptions
from neonblue.tables.scan import Reading, ValueColumn
from neonblue.tables.sums import holds_sums, rows_of_sums
from neonblue.tables.table import Table

MOST_SEGMENTS = 20


@dataclass(frozen=True, slots=True)
class Options:
    """What the command's options say about the file; None and empty: find out.

    winsorize: the pooled percentile at which means are capped, above 50 and at most 100. segments: columns whose values
    are segments.
    """

    file: FileOptions = field(default_factory=FileOptions)
    roles: Roles = field(default_factory=Roles)
    weights: Mapping[str, float] | None = None
    winsorize: float | None = None
    missing: Policies = field(default_factory=Policies)
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileData:
    """The experiment that a file holds, what became of its rows and blank cells, and the experiments of its segments.

    segments: by column and value, each with all arms, and capped as the whole. caps: of the means that are capped.
    """

    name: str
    experiment: Experiment
    file: FileReport
    notes: tuple[MissingNote, ...] = ()
    segments: Mapping[tuple[str, str], Experiment] = field(default_factory=dict)
    caps: tuple[CapNote, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """What became of blank cells and of high values, in words."""
        return (*(note.sentence for note in self.notes), *(note.sentence for note in self.caps))


def read_experiment(path: Path, options: Options) -> FileData:
    """Read a file of units, of events, or of sums. Raises FileError or ValueError."""
    table = Table.open(path)
    return _from_sums(table, options) if holds_sums(table) else _from_units(table, options)


def _from_units(table: Table, options: Options) -> FileData:
    sheet = Sheet.of(table, options.file)
    specs = tuple(
        replace(spec, missing=options.missing.of(spec.metric.name))
        for spec in columns_of(sheet, options.file.metrics, options.roles)
    )
    options.missing.check([spec.metric.name for spec in specs])
    columns = _Columns(values_of(sheet, specs), _segments(sheet, options.segments))
    reading = read_rows(sheet, columns.values, columns.add, columns.segment_places)
    blank = {
        column.name: sum(reading.scan.blanks[at, arm] for arm in reading.keys)
        for at, column in enumerate(columns.values)
    }
    require_missing(specs, blank, reading.scan.arms.total())
    control = choose_control(reading.keys, options.file.control)
    units = columns.table()
    caps = caps_of(units, specs, options.winsorize)
    experiment = experiment_from_units(units, specs, control, _weights(reading.keys, options.weights), caps)
    return FileData(
        table.source.short_name,
        experiment,
        reading.report(columns.segment_places),
        tuple(missing_notes(experiment, specs, blank)),
        dict(_segment_experiments(units, columns, specs, control, reading, caps)),
        tuple(cap_notes(experiment, caps)),
    )


def _from_sums(table: Table, options: Options) -> FileData:
    if options.missing != Policies():
        raise FileError("--missing: a file of sums has no cells of units: nothing in it may be blank")
    if options.segments:
        raise FileError("--segment: a file of sums has no units to divide")
    if options.winsorize is not None:
        raise FileError("--winsorize: a file of sums has no values of units to cap")
    rows, places, file = rows_of_sums(table, options.file.variant)
    kinds: dict[str, MetricKind] = {}
    for row in rows:
        # A proportion is what has the fewest sums: the other arms' rows may show that one of these is blank.
        if kinds.get(row["metric"], MetricKind.PROPORTION) is MetricKind.PROPORTION:
            kinds[row["metric"]] = kind_of_row(row)
    keys = arm_keys({row["variant"] for row in rows})
    control, weights = choose_control(keys, options.file.control), _weights(keys, options.weights)
    metrics = metrics_of(kinds, options.file.metrics, options.roles)
    try:
        experiment = experiment_from_sums(rows, metrics, control, weights)
    except RowError as error:
        place = places[error.row - 1]
        raise FileError(f"{table.source.name}: {at(place.line, place.number)}: {error.reason}") from None
    except ValueError as error:
        raise FileError(f"{table.source.name}: {error}") from None
    return FileData(table.source.short_name, experiment, file)


class _Columns:
    """The rows of a file, column by column, as they are read."""

    def __init__(self, values: Sequence[ValueColumn], segments: Mapping[int, str]) -> None:
        self.values = values
        self.segments = segments
        self.segment_places = tuple(segments)
        self._arms: list[str] = []
        self._units = array("q")
        self._numbers = tuple(array("d") for _ in values)
        self._texts: tuple[list[str], ...] = tuple([] for _ in segments)

    def add(self, reading: Reading) -> None:
        self._arms.append(reading.arm)
        self._units.append(reading.code)
        for numbers, value in zip(self._numbers, reading.values, strict=True):
            numbers.append(np.nan if value is None else float(value))
        for texts, text in zip(self._texts, reading.texts, strict=True):
            texts.append(text)

    def table(self) -> UnitTable:
        numbers = {
            column.name: np.frombuffer(found) if len(found) else np.zeros(0)
            for column, found in zip(self.values, self._numbers, strict=True)
        }
        return UnitTable(np.array(self._arms, dtype=np.str_), numbers, np.array(self._units, dtype=np.int64))

    def parts(self) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
        """Each segment's column and value, and which rows are of it. Raises FileError for too many values."""
        for column, texts in zip(self.segments.values(), self._texts, strict=True):
            found = np.array([plain(text) for text in texts], dtype=object)
            values = sorted({text for text in found if not is_blank(text)})
            if len(values) > MOST_SEGMENTS:
                raise FileError(
                    f"--segment: {column!r} has {len(values)} values; at most {MOST_SEGMENTS} can be segments"
                )
            for value in values:
                yield column, value, found == value


def _segments(sheet: Sheet, names: Sequence[str]) -> dict[int, str]:
    places = [sheet.table.index(name, "--segment") for name in names]
    return {place: sheet.table.columns[place] for place in places}


def _weights(keys: Mapping[str, str], given: Mapping[str, float] | None) -> dict[str, float] | None:
    return (
        None if given is None else {arm: float(share) for arm, share in weights_by_arm(keys, given).items()}
    )


def _segment_experiments(
    units: UnitTable,
    columns: _Columns,
    specs: Sequence[MetricColumns],
    control: str,
    reading: FileReading,
    caps: Mapping[str, Capping],
) -> Iterator[tuple[tuple[str, str], Experiment]]:
    equal = dict.fromkeys(reading.keys, 1.0)
    for column, value, chosen in columns.parts():
        assert units.units is not None  # noqa: S101 - every row has its unit's code
        numbers = {name: found[chosen] for name, found in units.columns.items()}
        part = UnitTable(units.arms[chosen], numbers, units.units[chosen])
        yield (column, value), experiment_from_units(part, specs, control, equal, caps)
