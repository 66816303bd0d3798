"""The metrics of an experiment: control → arm, the change on one axis, p, verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from api.experiments.answers import ExperimentOut
from api.metric_catalogue.schemas import MetricOut
from api.web.experiment.opened import Opened, opened_of
from api.web.shared.definitions import span
from api.web.shared.drawing import Axis, Interval, axis_of, interval_of, kind_of
from api.web.shared.results import Seen
from neonblue.contract.metric_types import RATES
from neonblue.findings.effect import Effect, Scale, shown
from neonblue.statistics import Role, Verdict, numbers
from neonblue.statistics.experiment.standing import GuardrailState

_FOLDED = 8
"""From so many secondary metrics on, they are behind a click."""
_NOT_YET = "There are no numbers of this metric yet."
_ORDER = (Role.PRIMARY, Role.GUARDRAIL, Role.SECONDARY)
_MARKS = {"better": "✓", "worse": "✗"}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A row as it is shown. note: why something is missing, or what else must be known.

    anchor: its id on the page. way: query and anchor that open it, or close it where it is open. opened: None of a
    row that is closed.
    """

    metric: str
    about: str
    control: str
    treatment: str
    interval: Interval | None
    change: str
    change_interval: str
    p: str
    mark: str
    kind: str
    verdict: str
    note: str
    anchor: str = ""
    way: str = ""
    opened: Opened | None = None


@dataclass(frozen=True, slots=True)
class ArmMetrics:
    """The rows of one treatment. folded: secondary metrics of which there are many; decided: how many of those are.

    unfolded: one of those is open.
    """

    arm: str
    units: str
    rows: tuple[MetricRow, ...]
    folded: tuple[MetricRow, ...] = ()
    decided: int = 0
    unfolded: bool = False


@dataclass(frozen=True, slots=True)
class Metrics:
    """The section. lacks_numbers: it has started, and there are none at all.

    withheld: they are not to be used, and are behind a click. level: of the intervals, where all have the same.
    """

    axis: Axis
    control: str
    control_units: str
    arms: tuple[ArmMetrics, ...]
    level: str
    lacks_numbers: bool
    withheld: bool
    has_margin: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for. open: the metric whose rows are open."""

    open: str
    anyway: bool

    def way(self, metric: str, anchor: str) -> str:
        """Opens the metric, or closes it where it is open."""
        asked = {} if metric == self.open else {"open": metric}
        query = urlencode(asked | ({"anyway": "1"} if self.anyway else {}))
        return f"{'?' if query else ''}{query}#{anchor}"


def metrics_of(experiment: ExperimentOut, seen: Seen, *, anyway: bool = False, is_open: str = "") -> Metrics:
    """The section, with a row for each metric also where there are no numbers.

    anyway: show what is not to be used. is_open: the key of the metric whose rows are open.
    """
    effects = seen.effects
    axis = axis_of(effects)
    control = next((arm.key for arm in experiment.variants if arm.is_control), "")
    treatments = [arm.key for arm in experiment.variants if not arm.is_control]
    places = {arm: place for place, arm in enumerate(treatments, start=1)}
    asked = _Asked(is_open, anyway)
    by_arm = {arm: [effect for effect in effects if effect.arm == arm] for arm in treatments}
    if effects:
        treatments.sort(key=lambda arm: -_gain(by_arm[arm]))
    levels = {numbers.level(effect.level) for effect in effects if effect.has_interval}
    return Metrics(
        axis=axis,
        control=control,
        control_units=_units(max((effect.n_control for effect in effects), default=0)),
        arms=tuple(_arm(arm, places[arm], experiment, seen, by_arm[arm], axis, asked) for arm in treatments),
        level=levels.pop() if len(levels) == 1 else "",
        lacks_numbers=not effects and _lacks_numbers(seen),
        withheld=seen.is_invalid and not anyway,
        has_margin=any(effect.margin_as_change is not None for effect in effects),
    )


def _arm(
    arm: str,
    place: int,
    experiment: ExperimentOut,
    seen: Seen,
    effects: Sequence[Effect],
    axis: Axis,
    asked: _Asked,
) -> ArmMetrics:
    found = {effect.metric: effect for effect in effects}
    items = seen.answer.items if seen.answer is not None else ()
    opened = next((item for item in items if (item.variant_key, item.metric_key) == (arm, asked.open)), None)
    wanted = sorted(experiment.metrics, key=lambda metric: _ORDER.index(Role(metric.role)))
    rows = []
    for number, metric in enumerate(wanted, start=1):
        effect, anchor = found.get(metric.key), f"metric-{place}-{number}"
        row = _empty(metric, _NOT_YET if effects else "") if effect is None else _row(metric, effect, axis)
        row = replace(
            row,
            anchor=anchor,
            way=asked.way(metric.key, anchor),
            opened=opened_of(metric, opened) if metric.key == asked.open else None,
        )
        rows.append((metric, row))
    secondary = [row for metric, row in rows if metric.role == Role.SECONDARY]
    fold = len(secondary) >= _FOLDED
    return ArmMetrics(
        arm=arm,
        units=_units(max((effect.n_treatment for effect in effects), default=0)),
        rows=tuple(row for metric, row in rows if not fold or metric.role != Role.SECONDARY),
        folded=tuple(secondary) if fold else (),
        decided=sum(bool(row.kind) for row in secondary) if fold else 0,
        unfolded=fold and any(row.opened is not None for row in secondary),
    )


def _row(metric: MetricOut, effect: Effect, axis: Axis) -> MetricRow:
    words, kind = shown(effect), kind_of(effect)
    has_number = effect.lift is not None
    return MetricRow(
        metric=metric.key,
        about=about_metric(metric),
        control=words.control,
        treatment=words.treatment,
        interval=interval_of(effect, axis),
        change=words.change if has_number else words.difference,
        change_interval=words.change_interval if has_number else words.interval,
        p=words.p_adjusted,
        mark=_MARKS.get(kind, ""),
        kind=kind,
        verdict=_verdict(effect),
        note=" ".join(words.notes),
    )


def _verdict(effect: Effect) -> str:
    if effect.guardrail is GuardrailState.HELD:
        return "within margin"
    if effect.guardrail is GuardrailState.BREACHED:
        return "beyond margin"
    if effect.guardrail is GuardrailState.OPEN and effect.verdict is not Verdict.WORSE:
        return "not decided"
    return shown(effect).verdict


def _empty(metric: MetricOut, note: str) -> MetricRow:
    return MetricRow(
        metric.key, about_metric(metric), numbers.NONE, numbers.NONE, None, numbers.NONE, "", numbers.NONE, "", "",
        "no test", note,
    )  # fmt: skip


def about_metric(metric: MetricOut) -> str:
    """Role, margin, window and direction in a line."""
    scale = Scale.SHARE if metric.type in RATES else Scale.NUMBER
    margin = ""
    if metric.margin is not None:
        size = numbers.margin(
            float(metric.margin), relative=metric.margin_relative, of_shares=scale is Scale.SHARE
        )
        margin = f"margin {size}"
    less = "less is better" if metric.direction == "decrease" else ""
    return " · ".join(
        filter(
            None,
            (metric.role, margin, "" if metric.window_seconds is None else span(metric.window_seconds), less),
        )
    )


def _lacks_numbers(seen: Seen) -> bool:
    """Of what has not started nobody expects any."""
    return not seen.said.has_numbers if seen.said is not None else bool(seen.glance.missing)


def _gain(effects: Sequence[Effect]) -> float:
    """Of the first primary metric; that of nothing last."""
    first = next((effect for effect in effects if effect.role is Role.PRIMARY), None)
    if first is None or first.lift is None:
        return float("-inf")
    return -first.lift if first.lower_is_better else first.lift


def _units(number: int) -> str:
    return f"{numbers.count(number)} unit{'s' * (number != 1)}" if number else ""
