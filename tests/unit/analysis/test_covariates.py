"""One metric's moments are of one kind in all arms and versions, whoever has no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from neonblue.analysis import MomentRow, ask
from neonblue.analysis.rows import Products
from neonblue.contract.messages import ExperimentMessage, MetricMessage
from neonblue.statistics import Estimate, Status, StatusCode
from neonblue.statistics.result import Method
from tests.unit.analysis.lives import configuration, day, midnight, rows_of, valued

SPEND = MetricMessage(key="spend", type="mean", event_type="buy", aggregation="sum", cuped=True)


def version(number: int, *weights: int) -> ExperimentMessage:
    """A snapshot with weights of control, t and u."""
    arms = [
        (key, weight, weight > 0)
        for key, weight in zip(("control", "t", "u")[: len(weights)], weights, strict=True)
    ]
    return configuration(number, arms, (SPEND,), source="external")


def spent(arm: str, entered: date, n: int, version: int = 1) -> MomentRow:
    """Units that spent 2 on average, and 1 before their exposure."""
    row = valued(arm, entered, n, n * 2, n * 8, "spend", version)
    return replace(row, covariate=Products(Decimal(n), Decimal(3 * n), Decimal(3 * n)))


def methods(versions: dict[int, ExperimentMessage], moments: Sequence[MomentRow]) -> list[Method]:
    results = ask(versions, rows_of(moments, "spend"), day(20)).answer().results
    return [
        each.comparison.absolute.method for each in results if isinstance(each.comparison.absolute, Estimate)
    ]


def test_versions_in_which_an_arm_enrols_nobody_are_adjusted_like_the_others() -> None:
    """u is dropped, then t gets a larger share."""
    versions = {1: version(1, 1, 1, 1), 2: version(2, 1, 1, 0), 3: version(3, 1, 2, 0)}
    moments = [spent(arm, day(1), 1000, 1) for arm in ("control", "t", "u")]
    moments += [spent(arm, day(3), 1000, 2) for arm in ("control", "t")]
    moments += [spent("control", day(5), 1000, 3), spent("t", day(5), 2000, 3)]

    assert methods(versions, moments) == [Method.CUPED, Method.CUPED]


def test_a_version_whose_units_are_all_without_sums_adds_nothing() -> None:
    """The weights 1:1, 2:2 and 1:2, of which the second has units whose window has not ended."""
    versions = {1: version(1, 1, 1), 2: version(2, 2, 2), 3: version(3, 1, 2)}
    moments = [spent(arm, day(1), 1000, 1) for arm in ("control", "t")]
    moments += [
        replace(spent(arm, day(3), 1000, 2), cut_short=True, finishes_at=midnight(9))
        for arm in ("control", "t")
    ]
    moments += [spent("control", day(5), 1000, 3), spent("t", day(5), 2000, 3)]

    assert methods(versions, moments) == [Method.CUPED]


def test_an_arm_without_rows_is_told_to_have_too_few_units() -> None:
    moments = [spent("control", day(1), 1000)]

    (result,) = ask({1: version(1, 1, 1)}, rows_of(moments, "spend"), day(20)).answer().results

    assert isinstance(result.comparison.absolute, Status)
    assert result.comparison.absolute.code is StatusCode.NOT_ENOUGH_UNITS
    assert (result.comparison.n_control, result.comparison.n_treatment) == (1000, 0)
