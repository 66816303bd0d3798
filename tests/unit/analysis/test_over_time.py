"""Differences day by day are those of the results."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from neonblue.analysis import MomentRow, ask
from neonblue.analysis.over_time import day_effects
from neonblue.analysis.rows import Products
from neonblue.contract.messages import MetricMessage
from neonblue.statistics import StatusCode
from tests.unit.analysis.lives import configuration, day, rows_of, valued

SPEND = MetricMessage(key="spend", type="mean", event_type="buy", aggregation="sum", cuped=True)


def spent(arm: str, total: int, before: int) -> MomentRow:
    """A thousand units, with what they spent and what they had spent before their exposure."""
    row = valued(arm, day(1), 1000, total, total * 4, "spend")
    return replace(row, covariate=Products(Decimal(before), Decimal(before * 4), Decimal(before * 3)))


def test_a_covariate_out_of_balance_is_left_out_of_the_days_as_of_the_result() -> None:
    versions = {1: configuration(metrics=(SPEND,), source="external")}
    rows = rows_of([spent("control", 2000, 1000), spent("t", 2100, 2000)], "spend")
    question = ask(versions, rows, day(20))

    (effect,) = day_effects(versions, rows, question)

    (result,) = question.answer().results
    assert result.fallback is not None
    assert result.fallback.code is StatusCode.COVARIATE_IMBALANCE
    assert effect.difference == pytest.approx(0.1)
    assert result.comparison.diff == pytest.approx(0.1)
