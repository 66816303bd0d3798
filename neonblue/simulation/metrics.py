"""The metrics of an import: those that were named, else the file's outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neonblue.statistics.experiment.missing import Missing
from neonblue.tables.arms import slug
from neonblue.tables.blanks import Policies
from neonblue.tables.errors import FileError
from neonblue.tables.outcomes import Kind, require_metrics
from neonblue.tables.reading import Sheet
from neonblue.tables.scan import ValueColumn


@dataclass(frozen=True, slots=True)
class MetricColumn:
    """A metric and its column. decides: it is primary. lower: less is better.

    missing: what its blank cells count as; None: there is none.
    """

    name: str
    column: ValueColumn
    decides: bool
    missing: Missing | None = None
    lower: bool = False

    @property
    def excludes(self) -> bool:
        """Whether a unit without a value is left out: then each value is sent, also 0."""
        return self.missing is Missing.EXCLUDE

    @property
    def has_value(self) -> bool:
        """Whether it adds up values: that there is an event says all of a proportion, but not who has no answer."""
        return self.column.kind is Kind.MEAN or self.excludes


def metrics_of(
    sheet: Sheet, given: Sequence[str], missing: Sequence[str], lower: Sequence[str] = ()
) -> tuple[MetricColumn, ...]:
    """The metrics. Those that are named decide. lower: names of those of which less is better.

    Raises FileError which names the option and column at fault.
    """
    if given:
        found = [_named(sheet, text) for text in given]
    else:
        found = [
            MetricColumn(slug(outcome.name), sheet.value_column(outcome.index, outcome.kind), outcome.decides)
            for outcome in sheet.outcomes()
        ]
    names = [metric.name for metric in found]
    if len(set(names)) < len(names):
        raise FileError(f"--metric: the names must differ, got {', '.join(names)}")
    if "exposure" in names:
        raise FileError("--metric: the name 'exposure' is taken by the exposures themselves")
    policies = Policies.parse(missing)
    policies.check(names)
    less = [slug(name) for name in lower]
    require_metrics("--lower", less, names)
    return tuple(
        replace(metric, missing=policies.of(metric.name), lower=metric.name in less) for metric in found
    )


def _named(sheet: Sheet, text: str) -> MetricColumn:
    """Read `name=COLUMN[:proportion|mean]`, or `COLUMN` alone."""
    kind = None
    left, _, word = text.rpartition(":")
    if left and word in set(Kind):
        text, kind = left, Kind(word)
    name, equals, column = text.partition("=")
    place = sheet.table.index(column if equals else name, "--metric")
    return MetricColumn(slug(name), sheet.value_column(place, kind), decides=True)
