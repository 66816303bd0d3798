"""What the options of ``neonblue analyze`` say about a file's columns."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from neonblue.cli.number_options import LARGEST
from neonblue.statistics import Metric, MetricKind
from neonblue.statistics.experiment.experiment import Role
from neonblue.statistics.experiment.from_table import MetricColumns
from neonblue.statistics.methods.noninferiority import Direction
from neonblue.tables.errors import FileError
from neonblue.tables.outcomes import Kind, require_metrics
from neonblue.tables.reading import Sheet
from neonblue.tables.scan import ValueColumn

_SPEC = re.compile(
    r"^(?:(?P<name>[^=]+)=)?(?P<column>[^/~:=]+)(?:/(?P<denominator>[^/~:]+))?(?:~(?P<covariate>[^/~:]+))?"
    r"(?::(?P<kind>proportion|mean|p\d{1,2}(?:\.\d+)?))?$"
)

SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-6, 1_000_000


@dataclass(frozen=True, slots=True)
class Roles:
    """The metrics' parts in the decision, as given."""

    secondary: tuple[str, ...] = ()
    guardrail: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()

    def metric(self, name: str, kind: MetricKind, otherwise: Role = Role.PRIMARY) -> Metric:
        """The metric with its role, direction and margin. otherwise: the role of one named in neither list.

        Raises FileError for a margin that is no number.
        """
        margins = dict(_margin(text) for text in self.guardrail)
        role = Role.GUARDRAIL if name in margins else Role.SECONDARY if name in self.secondary else otherwise
        size, relative = margins.get(name, (None, False))
        direction = Direction.LOWER_IS_BETTER if name in self.lower else Direction.HIGHER_IS_BETTER
        return Metric(name, kind, role, direction, size, relative)

    @property
    def named(self) -> tuple[str, ...]:
        """Those with a role of their own, each once."""
        return tuple(dict.fromkeys((*self.secondary, *(_margin(text)[0] for text in self.guardrail))))

    def check(self, names: Sequence[str]) -> None:
        """FileError for a name that is no metric."""
        guarded = [_margin(text)[0] for text in self.guardrail]
        for name, (size, relative) in map(_margin, self.guardrail):
            if relative and size is not None and size >= 1 and name not in self.lower:
                raise FileError(
                    f"--guardrail: {name}={size:.0%} would accept to lose everything: say less than 100%"
                )
        both = next((name for name in guarded if name in self.secondary), None)
        if both is not None:
            raise FileError(f"--secondary, --guardrail: {both!r} is in both; give one of them")
        for option, given in (
            ("--secondary", self.secondary),
            ("--guardrail", guarded),
            ("--lower", self.lower),
        ):
            require_metrics(option, given, names)


def metrics_of(kinds: Mapping[str, MetricKind], given: Sequence[str], roles: Roles) -> dict[str, Metric]:
    """The metrics of a file of sums by name: those given decide. FileError for a name that is none."""
    require_metrics("--metric", given, list(kinds))
    roles.check(list(kinds))
    return {
        name: roles.metric(name, kind, Role.PRIMARY if name in given else Role.SECONDARY)
        for name, kind in kinds.items()
    }


def columns_of(sheet: Sheet, given: Sequence[str], roles: Roles) -> tuple[MetricColumns, ...]:
    """The metrics of a file of units: those given, which decide, and those that another option names by their column.

    Without any given, its outcomes, of which none decides.
    Raises FileError naming the option and what is wrong with it.
    """
    specs = tuple(_spec(sheet, text, roles) for text in given)
    named = {spec.metric.name for spec in specs}
    beside = [name for name in roles.named if name in sheet.table.columns and name not in named]
    specs = (*specs, *(_spec(sheet, name, roles) for name in beside)) if given else _outcomes(sheet, roles)
    names = [spec.metric.name for spec in specs]
    if len(set(names)) < len(names):
        raise FileError(f"--metric: the names must differ, got {', '.join(names)}")
    roles.check(names)
    return specs


def values_of(sheet: Sheet, specs: Sequence[MetricColumns]) -> tuple[ValueColumn, ...]:
    """The columns of numbers that the metrics need, each once. A share of units is made of its units' sums."""
    needed = {name for spec in specs for name in (*spec.value_columns, spec.covariate) if name}
    return tuple(
        replace(sheet.value_column(place, Kind.MEAN), exact=True)
        for place, name in enumerate(sheet.table.columns)
        if name in needed
    )


def parse_weights(given: Sequence[str]) -> dict[str, float] | None:
    """Allocation shares from ARM=n; None without any. Raises FileError for what is no number."""
    weights = {}
    for text in given:
        arm, _, share = text.rpartition("=")
        if arm in weights:
            raise FileError(f"--weight: {arm!r} is given twice")
        weight = _number(share, "--weight", text)
        if not SMALLEST_WEIGHT <= weight <= LARGEST_WEIGHT:
            raise FileError(
                f"--weight: {share!r} in {text!r} must lie between {SMALLEST_WEIGHT:g} and {LARGEST_WEIGHT:,}"
            )
        weights[arm] = weight
    return weights or None


def _outcomes(sheet: Sheet, roles: Roles) -> tuple[MetricColumns, ...]:
    return tuple(
        MetricColumns(roles.metric(found.name, MetricKind(found.kind.value), Role.SECONDARY), found.name)
        for found in sheet.outcomes()
    )


def _spec(sheet: Sheet, text: str, roles: Roles) -> MetricColumns:
    columns = sheet.table.columns
    # A column's own name may hold any sign: it wins over the grammar.
    if text in columns:
        return MetricColumns(roles.metric(text, _known_kind(sheet, text)), text)
    match = _SPEC.match(text)
    if match is None:
        raise FileError(f"--metric: {text!r} is not [NAME=]COLUMN[/COLUMN][~COVARIATE][:KIND]")
    part = match.groupdict()
    for role in ("column", "denominator", "covariate"):
        if part[role] is not None:
            part[role] = columns[sheet.table.index(part[role], "--metric")]
    kind, level = _stated_kind(part["kind"], part["denominator"])
    kind = kind or _known_kind(sheet, part["column"])
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


def _known_kind(sheet: Sheet, column: str) -> MetricKind:
    return MetricKind(sheet.value_column(sheet.table.columns.index(column)).kind.value)


def _margin(text: str) -> tuple[str, tuple[float | None, bool]]:
    """NAME, NAME=0.5 or NAME=2%."""
    name, equals, size = text.rpartition("=")
    if not equals:
        return text, (None, False)
    relative = size.endswith("%")
    margin = _number(size.removesuffix("%"), "--guardrail", text)
    if not 0 < margin <= LARGEST:
        raise FileError(
            f"--guardrail: the margin {size!r} in {text!r} is the largest loss that is acceptable: it must be above 0"
        )
    return name, (margin / 100 if relative else margin, relative)


def _number(text: str, option: str, whole: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise FileError(f"{option}: {text!r} in {whole!r} is not a number")
    return found
