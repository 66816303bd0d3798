"""One metric of one treatment against control, and how every page and command writes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neonblue.statistics import Role, Verdict, numbers
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.statistics.experiment.wording import MARGIN, VERDICTS

COLUMNS = ("metric", "arm", "control → arm", "difference", "change", "level", "p, adjusted", "verdict")
"""Level: of the intervals, which stand under the difference and the change."""


class Scale(StrEnum):
    """How a metric's values are written: a share as a percentage, or a plain number."""

    SHARE = "share"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Effect:
    """One metric of one treatment arm against control.

    control, treatment, difference: values in the metric's scale. lower, upper: the difference's interval at
    `level`. lift and its interval: relative, 0.05 meaning +5 %. adjusted_p: within the metric's family.
    note: why something is missing, or what else must be known; empty where there is nothing to say.
    margin: of a guardrail, the loss that is accepted, of the control's value where `margin_relative`; guardrail: what
    is known of the loss against it.
    """

    metric: str
    arm: str
    role: Role
    scale: Scale
    verdict: Verdict
    n_control: int
    n_treatment: int
    control: float | None = None
    treatment: float | None = None
    difference: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95
    lift: float | None = None
    lift_lower: float | None = None
    lift_upper: float | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    note: str = ""
    lower_is_better: bool = False
    margin: float | None = None
    margin_relative: bool = True
    guardrail: GuardrailState | None = None

    @property
    def has_interval(self) -> bool:
        """Whether the difference has one; it may be open to one side."""
        return self.lower is not None or self.upper is not None

    @property
    def margin_as_change(self) -> float | None:
        """Where the margin lies on an axis of relative changes; None where it has no place there."""
        if self.margin is None:
            return None
        size = self.margin
        if not self.margin_relative:
            if not self.control:
                return None
            size = self.margin / abs(self.control)
        return size if self.lower_is_better else -size


@dataclass(frozen=True, slots=True)
class ShownEffect:
    """An effect in words and numbers.

    kind: role, direction and margin. level: of both intervals, empty without one. p_alone: empty where it says nothing
    more.
    """

    kind: str
    control: str
    treatment: str
    difference: str
    interval: str
    change: str
    change_interval: str
    level: str
    p_adjusted: str
    p_alone: str
    verdict: str
    notes: tuple[str, ...]


def shown(effect: Effect) -> ShownEffect:
    """Each cell as text; the values of one effect have the same decimals."""
    alone, adjusted = numbers.p_value(effect.p_value), numbers.p_value(effect.adjusted_p)
    state = effect.guardrail
    against = "" if state is None else f"The loss is {MARGIN[state]} its margin of {margin_of(effect)}."
    write = _writer(effect)
    return ShownEffect(
        kind=", ".join(filter(None, (effect.role.value, direction_of(effect), _margin_named(effect)))),
        control=write.value(effect.control),
        treatment=write.value(effect.treatment),
        difference=write.difference(effect.difference),
        interval=write.interval(effect.lower, effect.upper) if effect.has_interval else "",
        change=numbers.change(effect.lift),
        change_interval=""
        if effect.lift is None
        else numbers.change_interval(effect.lift_lower, effect.lift_upper),
        level=numbers.level(effect.level) if effect.has_interval else "",
        p_adjusted=adjusted,
        p_alone="" if alone == adjusted else f"alone {alone}",
        verdict=VERDICTS[effect.verdict],
        notes=tuple(filter(None, (effect.note, against))),
    )


def direction_of(effect: Effect) -> str:
    """What must be said of the metric's direction: higher is better where nothing is."""
    return "lower is better" if effect.lower_is_better else ""


def margin_of(effect: Effect) -> str:
    """The size of the margin; empty without one."""
    if effect.margin is None:
        return ""
    return numbers.margin(
        effect.margin, relative=effect.margin_relative, of_shares=effect.scale is Scale.SHARE
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    """Values, differences and intervals at one number of decimals."""

    scale: Scale
    digits: int

    def value(self, amount: float | None) -> str:
        if self.scale is Scale.SHARE:
            return numbers.share(amount, digits=self.digits)
        return numbers.number(amount, digits=self.digits)

    def difference(self, amount: float | None) -> str:
        if self.scale is Scale.SHARE:
            return numbers.points(amount, digits=self.digits)
        return numbers.number(amount, sign=True, digits=self.digits)

    def interval(self, lower: float | None, upper: float | None) -> str:
        low, high = (
            numbers.UNBOUNDED if bound is None else self.difference(bound) for bound in (lower, upper)
        )
        return f"{low} to {high}"


def _writer(effect: Effect) -> _Writer:
    places = numbers.share_places if effect.scale is Scale.SHARE else numbers.places
    return _Writer(effect.scale, places(effect.control, effect.treatment, effect.difference))


def _margin_named(effect: Effect) -> str:
    return f"margin {margin_of(effect)}" if effect.margin is not None else ""
