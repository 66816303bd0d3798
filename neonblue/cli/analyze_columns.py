"""What the options of ``neonblue analyze`` say about a file's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neonblue.simulation import cells
from neonblue.simulation.table import ImportFileError
from neonblue.statistics import Metric, MetricKind
from neonblue.statistics.experiment import Role
from neonblue.statistics.noninferiority import Direction
from neonblue.statistics.tables import MetricColumns

_SPEC = re.compile(
    r"^(?:(?P<name>[^=]+)=)?(?P<column>[^/~:=]+)(?:/(?P<denominator>[^/~:]+))?(?:~(?P<covariate>[^/~:]+))?"
    r"(?::(?P<kind>proportion|mean|p\d{1,2}(?:\.\d+)?))?$"
)


@dataclass(frozen=True, slots=True)
class Roles:
    """The metrics' parts in the decision, as given: every metric named in neither list is primary."""

    secondary: tuple[str, ...] = ()
    guardrail: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()

    def metric(self, name: str, kind: MetricKind) -> Metric:
        """The metric with its role, direction and margin.

        Raises ImportFileError for a margin that is no number.
        """
        margins = dict(_margin(text) for text in self.guardrail)
        role = (
            Role.GUARDRAIL if name in margins else Role.SECONDARY if name in self.secondary else Role.PRIMARY
        )
        size, relative = margins.get(name, (None, False))
        direction = Direction.LOWER_IS_BETTER if name in self.lower else Direction.HIGHER_IS_BETTER
        return Metric(name, kind, role, direction, size, relative)

    def check(self, names: Sequence[str]) -> None:
        """ImportFileError for a name that is no metric."""
        for option, given in (
            ("--secondary", self.secondary),
            ("--guardrail", tuple(_margin(text)[0] for text in self.guardrail)),
            ("--lower", self.lower),
        ):
            for name in given:
                if name not in names:
                    raise ImportFileError(
                        f"{option}: there is no metric {name!r}; there are {', '.join(names)}"
                    )


def metrics_of(kinds: Mapping[str, MetricKind], roles: Roles) -> dict[str, Metric]:
    """Metrics by name, with their roles."""
    roles.check(list(kinds))
    return {name: roles.metric(name, kind) for name, kind in kinds.items()}


def columns_of(
    table: Mapping[str, Sequence[str]], given: Sequence[str], roles: Roles
) -> tuple[MetricColumns, ...]:
    """The metrics of a table of units: those given, else every column of numbers or truth values.

    Raises ImportFileError naming the option and what is wrong with it.
    """
    texts = given or [name for name, values in table.items() if _kind(values) is not None]
    if not texts:
        raise ImportFileError("--metric: no column holds numbers or truth values")
    specs = tuple(_spec(table, text, roles) for text in texts)
    names = [spec.metric.name for spec in specs]
    if len(set(names)) < len(names):
        raise ImportFileError(f"--metric: the names must differ, got {', '.join(names)}")
    roles.check(names)
    return specs


def parse_weights(given: Sequence[str]) -> dict[str, float] | None:
    """Allocation shares from ARM=n; None without any. Raises ImportFileError for what is no number."""
    weights = {}
    for text in given:
        arm, _, share = text.rpartition("=")
        weights[arm] = _number(share, "--weight", text)
    return weights or None


def _spec(table: Mapping[str, Sequence[str]], text: str, roles: Roles) -> MetricColumns:
    # A column's own name may hold any sign: it wins over the grammar.
    if text in table:
        return MetricColumns(roles.metric(text, _known_kind(table, text, text)), text)
    match = _SPEC.match(text)
    if match is None:
        raise ImportFileError(f"--metric: {text!r} is not [NAME=]COLUMN[/COLUMN][~COVARIATE][:KIND]")
    part = match.groupdict()
    for column in (part["column"], part["denominator"], part["covariate"]):
        if column is not None and column not in table:
            raise ImportFileError(f"--metric: there is no column {column!r}; there are {', '.join(table)}")
    kind, level = _stated_kind(part["kind"], part["denominator"])
    kind = kind or _known_kind(table, part["column"], text)
    metric = roles.metric(part["name"] or _plain_name(part), kind)
    return MetricColumns(metric, part["column"], part["denominator"], part["covariate"], level)


def _plain_name(part: Mapping[str, str | None]) -> str:
    """What is measured; its kind where that is a quantile, and not how the column is read or adjusted."""
    column, denominator, kind = part["column"], part["denominator"], part["kind"]
    ratio = "" if denominator is None else f"/{denominator}"
    return f"{column}{ratio}" if kind in (None, "proportion", "mean") else f"{column}{ratio}:{kind}"


def _stated_kind(word: str | None, denominator: str | None) -> tuple[MetricKind | None, float]:
    if denominator is not None:
        return MetricKind.RATIO, 0.5
    if word is None:
        return None, 0.5
    if word.startswith("p") and word != "proportion":
        return MetricKind.QUANTILE, float(word[1:]) / 100
    return MetricKind(word), 0.5


def _known_kind(table: Mapping[str, Sequence[str]], column: str, text: str) -> MetricKind:
    kind = _kind(table[column])
    if kind is None:
        raise ImportFileError(f"--metric: column {column!r} of {text!r} holds no numbers or truth values")
    return kind


def _kind(values: Sequence[str]) -> MetricKind | None:
    """Proportion where every cell is 0 or 1, mean for other numbers, None for anything else."""
    present = [value for value in values if not cells.is_blank(value)]
    if not present:
        return None
    if all(cells.is_truth(value) for value in present):
        return MetricKind.PROPORTION
    return MetricKind.MEAN if all(cells.is_number(value) for value in present) else None


def _margin(text: str) -> tuple[str, tuple[float | None, bool]]:
    """NAME, NAME=0.5 or NAME=2%."""
    name, equals, size = text.rpartition("=")
    if not equals:
        return text, (None, False)
    if size.endswith("%"):
        return name, (_number(size[:-1], "--guardrail", text) / 100, True)
    return name, (_number(size, "--guardrail", text), False)


def _number(text: str, option: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ImportFileError(f"{option}: {text!r} in {whole!r} is not a number") from None
