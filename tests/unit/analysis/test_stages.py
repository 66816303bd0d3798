"""Stage-wise sample ratio: the stage where the arms lose their ratio is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.analysis.stages import (
    Stage,
    StageRatio,
    StageUnits,
    in_words,
    stage_ratios,
)
from neonblue.contract.messages import ExperimentMessage, VariantMessage


def experiment(version: int = 1, weights: tuple[int, int] = (1, 1)) -> ExperimentMessage:
    return ExperimentMessage(
        experiment_id=1,
        key="checkout",
        source="internal",
        unit_type="user",
        population="exposed",
        status="running",
        version=version,
        salt="s",
        allocation=10_000,
        variants=[
            VariantMessage(key="control", weight=weights[0], is_control=True),
            VariantMessage(key="treatment", weight=weights[1]),
        ],
        metrics=[],
        received_at="2026-01-01T00:00:00.000000Z",
    )


def units(counts: Mapping[Stage, tuple[int, int]], version: int = 1) -> list[StageUnits]:
    return [
        StageUnits(stage, version, arm, count)
        for stage, pair in counts.items()
        for arm, count in zip(("control", "treatment"), pair, strict=True)
    ]


def broken_stage(ratios: Sequence[StageRatio]) -> StageRatio | None:
    """The one stage where the ratio breaks; None where it holds all the way."""
    broken = [ratio for ratio in ratios if ratio.broken]
    assert len(broken) <= 1
    return broken[0] if broken else None


HEALTHY = (10_000, 10_050)


@pytest.mark.parametrize("stage", list(Stage))
def test_the_stage_where_the_ratio_breaks_is_named(stage: Stage) -> None:
    reached = {
        each: (HEALTHY[0], HEALTHY[1] - (800 if list(Stage).index(each) >= list(Stage).index(stage) else 0))
        for each in Stage
    }

    broken = broken_stage(stage_ratios({1: experiment()}, units(reached)))

    assert broken is not None
    assert broken.stage is stage
    assert f"at the stage {stage}" in in_words(broken)


def test_losing_units_of_both_arms_alike_breaks_nothing() -> None:
    reached = {
        Stage.ASSIGNED: (10_000, 10_050),
        Stage.EXPOSED: (5_020, 4_990),
        Stage.INGESTED: (5_000, 4_970),
        Stage.ANALYSED: (4_990, 4_965),
    }

    ratios = stage_ratios({1: experiment()}, units(reached))

    assert broken_stage(ratios) is None
    assert ratios[1].lost["control"] == pytest.approx(0.498)


def test_each_version_is_held_to_its_own_weights() -> None:
    first = units({Stage.ASSIGNED: (9_000, 1_000)}, 1)
    second = units({Stage.ASSIGNED: (5_000, 5_010)}, 2)
    configurations = {1: experiment(1, (9, 1)), 2: experiment(2, (1, 1))}

    assert broken_stage(stage_ratios(configurations, first + second)) is None


def test_stages_that_do_not_apply_are_left_out() -> None:
    ratios = stage_ratios({1: experiment()}, units({Stage.ASSIGNED: HEALTHY, Stage.ANALYSED: HEALTHY}))

    assert [ratio.stage for ratio in ratios] == [Stage.ASSIGNED, Stage.ANALYSED]


def test_nobody_yet_is_no_mismatch() -> None:
    assert broken_stage(stage_ratios({1: experiment()}, units({Stage.ASSIGNED: (0, 0)}))) is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=4, max_size=4))
def test_at_most_one_stage_is_named(pairs: list[tuple[int, int]]) -> None:
    ratios = stage_ratios({1: experiment()}, units(dict(zip(Stage, pairs, strict=True))))

    assert sum(ratio.broken for ratio in ratios) <= 1
