"""Segments are one family, whatever their number."""

from __future__ import annotations

import numpy as np
import pytest

from neonblue.analysis.segmentation import Segment, segment_effects
from neonblue.statistics import Experiment, Metric, MetricKind, Moments, Plan, Role, Verdict

BOUGHT = Metric("bought", MetricKind.PROPORTION, Role.PRIMARY)


def experiment(control: int, treatment: int, n: int = 1000) -> Experiment:
    return Experiment(
        "control",
        ("control", "blue"),
        (BOUGHT, Metric("clicks", MetricKind.MEAN, Role.SECONDARY)),
        {
            ("bought", "control"): Moments.proportion(control, n),
            ("bought", "blue"): Moments.proportion(treatment, n),
        },
    )


def test_each_segment_has_its_primary_metrics_alone() -> None:
    (effect,) = segment_effects({Segment("platform", "ios"): experiment(100, 150)}, Plan(ended=True))
    assert (effect.metric, effect.arm, effect.units) == ("bought", "blue", 2000)
    assert effect.lift == pytest.approx(0.5)
    assert effect.verdict is Verdict.BETTER


def test_among_many_segments_of_noise_hardly_one_is_called_different() -> None:
    chance = np.random.default_rng(7)
    called = 0
    for _ in range(50):
        segments = {
            Segment("city", str(city)): experiment(*map(int, chance.binomial(1000, 0.1, 2)))
            for city in range(20)
        }
        effects = segment_effects(segments, Plan(ended=True))
        called += any(effect.verdict in (Verdict.BETTER, Verdict.WORSE) for effect in effects)
    # 50 families at 5 %: more than 8 of them have probability below 0.001; uncorrected, about 32 would.
    assert called <= 8


def test_a_verdict_and_its_interval_agree() -> None:
    segments = {Segment("city", str(city)): experiment(100, 100 + 6 * city) for city in range(12)}
    for effect in segment_effects(segments, Plan(ended=True)):
        assert effect.lower is not None
        assert effect.upper is not None
        assert (effect.verdict is Verdict.UNDECIDED) == (effect.lower <= 0 <= effect.upper)


def test_each_segment_says_the_level_of_its_interval() -> None:
    segments = {Segment("city", "one"): experiment(100, 160), Segment("city", "two"): experiment(100, 101)}
    found = segment_effects(segments, Plan(ended=True))
    assert [effect.level for effect in found] == [0.975, 0.975]


def test_a_segment_that_an_arm_has_no_units_in_has_a_note_and_no_numbers() -> None:
    alone = Experiment(
        "control", ("control", "blue"), (BOUGHT,), {("bought", "control"): Moments.proportion(1, 9)}
    )
    (effect,) = segment_effects({Segment("platform", "tv"): alone}, Plan(ended=True))
    assert (effect.lift, effect.adjusted_p, effect.verdict) == (None, None, Verdict.UNKNOWN)
    assert effect.note == "An arm has no units here."


def test_a_segment_of_lopsided_arms_says_how_it_was_judged() -> None:
    spent = Metric("spent", MetricKind.MEAN, Role.PRIMARY)
    arms = {"c": Moments(1_900, 2_000.0, 200_000.0), "t": Moments(100, 40.0, 400.0)}
    moments = {("spent", arm): sums for arm, sums in arms.items()}

    (effect,) = segment_effects(
        {Segment("city", "one"): Experiment("c", ("c", "t"), (spent,), moments)}, Plan(ended=True)
    )

    assert "Lopsided arms of a skewed metric" in effect.note
