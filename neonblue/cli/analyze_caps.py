"""What ``neonblue analyze --winsorize`` caps, and how it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from neonblue.statistics import Experiment
from neonblue.statistics.experiment.from_table import Capping, MetricColumns, UnitTable, cappings
from neonblue.statistics.numbers import number
from neonblue.tables.errors import FileError


@dataclass(frozen=True, slots=True)
class CapNote:
    """The cap of a metric in words.

    percentile: in percent. cap, covariate_cap: in the metric's and its covariate's unit. above: units of each arm whose
    value lies above the cap and counts as it. short: what stands beside the metric.
    """

    metric: str
    percentile: float
    cap: float
    covariate_cap: float | None
    above: Mapping[str, int]
    sentence: str
    short: str


def caps_of(units: UnitTable, specs: Sequence[MetricColumns], percent: float | None) -> dict[str, Capping]:
    """The caps at a percentile, in percent. Raises FileError where there is no mean, or a cap leaves no variance."""
    if percent is None:
        return {}
    try:
        found = cappings(units, specs, percent / 100)
    except ValueError as error:
        raise FileError(f"--winsorize: {error}") from None
    if not found:
        raise FileError("--winsorize: there is no mean to cap; shares, ratios and quantiles are not capped")
    return found


def cap_notes(experiment: Experiment, caps: Mapping[str, Capping]) -> Iterator[CapNote]:
    """A note for each metric that is capped."""
    for metric, capping in caps.items():
        above = {arm: capping.above.get(arm, 0) for arm in experiment.control_first}
        percent = 100 * capping.percentile
        cap = number(capping.value)
        short = f"Values above {cap}, the {percent:g} % percentile of all arms together, count as {cap}."
        units = ", ".join(f"{arm} {count:,}" for arm, count in above.items())
        before = (
            "" if capping.covariate is None else f"; its covariate is capped at {number(capping.covariate)}"
        )
        sentence = f"{metric}: {short[0].lower()}{short[1:-1]}: units above it: {units}{before}"
        yield CapNote(metric, percent, capping.value, capping.covariate, above, sentence, short)
