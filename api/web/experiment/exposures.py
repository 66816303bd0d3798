"""Who met which arm, beside what the split makes one expect. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from api.experiments.answers import ExperimentOut
from api.web.experiment.decision import width_of
from api.web.shared.results import Seen
from neonblue.analysis.answer import Answer, CheckItem
from neonblue.statistics import AllocationVersion, numbers

_RATIO = "sample_ratio"


@dataclass(frozen=True, slots=True)
class ArmExposures:
    """Units of an arm. drawn, expected_at: widths of the drawing; place: the arm's number, which colours it."""

    arm: str
    share: str
    units: str
    expected: str
    difference: str
    drawn: str
    expected_at: str
    place: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """What one test of the split found: kind gives the colour."""

    name: str
    mark: str
    kind: str
    text: str
    p: str
    message: str


@dataclass(frozen=True, slots=True)
class Exposures:
    """The section. verdict: over all tests; several: units that met several arms, in words."""

    arms: tuple[ArmExposures, ...]
    ratios: tuple[Ratio, ...]
    verdict: Ratio | None
    several: str


def exposures_of(experiment: ExperimentOut, seen: Seen) -> Exposures | None:
    """None where nobody has entered yet, or nothing is known."""
    question = seen.glance.look.question if seen.glance.look else None
    if question is None or seen.answer is None or not question.experiment.versions:
        return None
    data = question.experiment
    observed, expected = _sums(data.control_first, data.versions)
    largest = max((*observed.values(), *expected.values(), 1))
    weights = sum(arm.weight for arm in experiment.variants if arm.active) or 1
    shares = {arm.key: arm.weight / weights if arm.active else 0.0 for arm in experiment.variants}
    places = {arm: place for place, arm in enumerate(data.control_first)}
    ratios = tuple(_ratio(check) for check in seen.answer.health if check.name.startswith(_RATIO))
    return Exposures(
        arms=tuple(
            ArmExposures(
                arm=arm,
                share=numbers.share(shares.get(arm, 0.0)),
                units=numbers.count(observed[arm]),
                expected=numbers.count(round(expected[arm])),
                difference=_signed(observed[arm] - round(expected[arm])),
                drawn=width_of(observed[arm] / largest),
                expected_at=width_of(expected[arm] / largest),
                place=places[arm],
            )
            for arm in data.control_first
        ),
        ratios=ratios,
        verdict=_overall(ratios),
        several=_several(seen.answer, data.multiply_exposed),
    )


def _sums(
    arms: tuple[str, ...], versions: tuple[AllocationVersion, ...]
) -> tuple[dict[str, int], dict[str, float]]:
    observed, expected = dict.fromkeys(arms, 0), dict.fromkeys(arms, 0.0)
    for version in versions:
        units, weights = sum(version.observed.values()), sum(version.weights.values())
        for arm in arms:
            observed[arm] += version.observed.get(arm, 0)
            expected[arm] += units * version.weights.get(arm, 0.0) / weights if weights else 0.0
    return observed, expected


def _ratio(check: CheckItem) -> Ratio:
    name = check.name.removeprefix(_RATIO).strip(" ()") or "all units"
    p = numbers.p_value(check.value) if check.told else numbers.NONE
    if not check.passed:
        return Ratio(name, "✗", "fail", "uneven", p, check.message)
    if not check.told:
        return Ratio(name, "○", "", "can’t be told yet", p, check.message)
    return Ratio(name, "✓", "ok", "fits", p, check.message)


def _overall(ratios: tuple[Ratio, ...]) -> Ratio | None:
    """The worst of all."""
    order = ("fail", "", "ok")
    return min(ratios, key=lambda ratio: order.index(ratio.kind)) if ratios else None


def _several(answer: Answer, units: int) -> str:
    return f"{numbers.count(units)} of {numbers.count(answer.units + units)} units met several arms"


def _signed(number: int) -> str:
    return f"{number:+,}".replace("-", numbers.MINUS) if number else "0"
