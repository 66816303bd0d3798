"""The significance analysis: which arms are compared, and what is said where nothing can be."""

from __future__ import annotations

import pytest

from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage
from neonblue.statistics import Moments
from orchestration.defs.significance.analysis import ArmMetric, ArmUnits, analyze_experiment

METRIC = MetricMessage(key="retention_7", type="proportion", event_type="retained", aggregation="any")


def experiment(version: int = 1, weights: tuple[int, ...] = (1, 1)) -> ExperimentMessage:
    return ExperimentMessage(
        experiment_id=1,
        key="gate",
        source="external",
        unit_type="user",
        population="exposed",
        status="running",
        version=version,
        salt="s",
        allocation=10_000,
        variants=[
            VariantMessage(key=f"arm_{place}", weight=weight, is_control=place == 0)
            for place, weight in enumerate(weights)
        ],
        metrics=[METRIC],
        received_at="2026-01-01T00:00:00.000000Z",
    )


def arm(variant: str, successes: int, n: int) -> ArmMetric:
    return ArmMetric("retention_7", 1, variant, Moments.proportion(successes, n))


def test_known_counts_give_the_published_p_values() -> None:
    rows = analyze_experiment(
        {1: experiment()},
        [arm("arm_0", 8502, 44_700), arm("arm_1", 8279, 45_489)],
        [ArmUnits(1, "arm_0", 44_700), ArmUnits(1, "arm_1", 45_489)],
    )

    (row,) = rows
    assert row.p_value == pytest.approx(0.00155, abs=1e-5)
    assert row.sample_ratio_p == pytest.approx(0.0086, abs=5e-5)
    assert row.sample_ratio_status == "healthy"
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert row.ci_low < row.ci_high < 0
    assert row.status == "ok"


def test_every_treatment_is_compared_with_control() -> None:
    rows = analyze_experiment(
        {1: experiment(weights=(1, 1, 1))},
        [arm(f"arm_{place}", 100 + place * 50, 1000) for place in range(3)],
        [ArmUnits(1, f"arm_{place}", 1000) for place in range(3)],
    )

    assert [(row.control_variant, row.variant_key) for row in rows] == [
        ("arm_0", "arm_1"),
        ("arm_0", "arm_2"),
    ]


def test_an_experiment_without_units_has_a_reason_in_place_of_numbers() -> None:
    (row,) = analyze_experiment({1: experiment()}, [], [])

    assert row.p_value is None
    assert row.ci_low is None
    assert row.status != "ok"
    assert row.status_reason
    assert row.sample_ratio_p is None


def test_a_changed_allocation_does_not_look_like_a_mismatch() -> None:
    (row,) = analyze_experiment(
        {1: experiment(1, (9, 1)), 2: experiment(2, (1, 1))},
        [arm("arm_0", 100, 1900), arm("arm_1", 60, 1100)],
        [
            ArmUnits(1, "arm_0", 900),
            ArmUnits(1, "arm_1", 100),
            ArmUnits(2, "arm_0", 1000),
            ArmUnits(2, "arm_1", 1000),
        ],
    )

    assert row.sample_ratio_status == "healthy"
    assert row.sample_ratio_p == pytest.approx(1.0)


def test_a_broken_sample_ratio_is_named() -> None:
    (row,) = analyze_experiment(
        {1: experiment()},
        [arm("arm_0", 100, 6000), arm("arm_1", 100, 5000)],
        [ArmUnits(1, "arm_0", 6000), ArmUnits(1, "arm_1", 5000)],
    )

    assert row.sample_ratio_status == "mismatch"
