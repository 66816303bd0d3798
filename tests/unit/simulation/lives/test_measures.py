"""What is drawn has the truth that it says, and its sums are those of its units."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from neonblue.simulation.lives.choosing import measure
from neonblue.simulation.lives.measures import Shape
from neonblue.simulation.lives.units import Drawn

N = 200_000


@pytest.mark.parametrize(
    ("shape", "mean", "effect"),
    [
        (Shape.RATE, 0.1, 0.02),
        (Shape.COUNT, 3.0, 0.3),
        (Shape.NORMAL, 20.0, 1.0),
        (Shape.SPEND, 2.0, 0.5),
        (Shape.RATIO, 0.5, 0.1),
        (Shape.HABIT, 2.0, 0.3),
    ],
)
@pytest.mark.parametrize("level", [1.0, 0.8])
def test_the_effect_is_the_same_on_every_day(shape: Shape, mean: float, effect: float, level: float) -> None:
    random = np.random.default_rng(3)
    given = measure("m", shape, "primary", mean, {"t1": effect})

    def value(arm: str) -> tuple[float, float]:
        drawn = given.draw(random, arm, N, level)
        values = drawn.values / 10**given.places
        if shape is Shape.RATIO:
            assert drawn.second is not None
            return values.sum() / drawn.second.sum(), values.std() / drawn.second.mean() / N**0.5
        return values.mean(), values.std() / N**0.5

    (control, control_error), (treatment, error) = value("control"), value("t1")
    assert abs(treatment - control - effect) < 4 * (control_error**2 + error**2) ** 0.5
    if shape is not Shape.HABIT:
        assert abs(control - mean * level) < 4 * control_error


def test_a_quantile_moves_by_its_effect() -> None:
    random = np.random.default_rng(3)
    given = measure("m", Shape.LATENCY, "primary", 300.0, {"t1": 30.0}, type="quantile", quantile="0.5")

    medians = [np.median(given.draw(random, arm, N, 1.0).values) / 100 for arm in ("control", "t1")]

    assert medians[0] == pytest.approx(300, rel=0.01)
    assert medians[1] - medians[0] == pytest.approx(30, abs=3)


def test_sums_are_exact_and_add_up() -> None:
    given = measure("m", Shape.SPEND, "primary", 2.0, missing="exclude", cap="50")
    random = np.random.default_rng(5)
    first, second = (given.draw(random, "control", 1_000, 1.0) for _ in range(2))

    both = given.sums(first.with_more(second))

    assert both == given.sums(first).plus(given.sums(second))
    values = [Decimal(int(value)) / 100 for value in (*first.values, *second.values)]
    assert both.total == sum(values)
    assert both.squares == sum(value**2 for value in values)
    assert both.n + both.missing == 2_000
    assert max(values) == 50
    assert both.missing > 0


def test_second_values_add_up_too() -> None:
    given = measure("m", Shape.RATIO, "primary", 0.5)
    drawn = Drawn(np.array([1, 2, 0]), np.array([2, 3, 1]))

    sums = given.sums(drawn).plus(given.sums(drawn))

    assert sums.second is not None
    assert (sums.second.sum, sums.second.squares, sums.second.products) == (12, 28, 16)


def test_a_margin_counts_in_the_metrics_unit() -> None:
    relative = measure("m", Shape.COUNT, "guardrail", 4.0, margin="0.1")

    assert relative.margin == pytest.approx(0.4)
    assert measure("m", Shape.COUNT, "guardrail", 4.0).margin is None
    assert measure("m", Shape.COUNT, "guardrail", 4.0, margin="0.1", margin_relative=False).margin == 0.1


def test_more_of_what_is_to_fall_is_a_loss() -> None:
    falls = measure("m", Shape.COUNT, "guardrail", 4.0, {"t1": 1.0}, direction="decrease")

    assert (falls.gain("t1"), falls.gain("t2")) == (-1.0, 0.0)
