"""A look is the next one of its experiment, under its plan; every rule that it breaks is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from api.experiments import examples
from api.experiments.answers import ExperimentOut
from api.looks.rules import refusals
from neonblue.contract.looks import LookCell, LookMessage

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = "2026-03-{:02}T00:00:00.000000Z"
EXPERIMENT = ExperimentOut.model_validate(
    examples.SHOWN | {"status": "running", "inference": "group_sequential", "version": 4}
)


def cell(**fields: Any) -> LookCell:
    neutral: dict[str, Any] = {
        "metric_key": "revenue_14d", "metric_version": 1, "variant_key": "short-form", "n_control": 50,
        "n_variant": 50, "information": 25.0, "share": 0.5, "spent": 0.01,
    }  # fmt: skip
    return LookCell(**neutral | fields)


def look(number: int, *cells: LookCell, **fields: Any) -> LookMessage:
    neutral: dict[str, Any] = {
        "experiment": "checkout-2026", "closed_to": DAY.format(number), "configuration_version": 4,
        "inference": "group_sequential", "planned_units": 40_000, "alpha": 0.05,
    }  # fmt: skip
    return LookMessage(number=number, cells=list(cells), **neutral | fields)


EARLIER = [look(1, cell(share=0.25, spent=0.002)), look(2, cell()), look(3)]


def refused(taken: LookMessage, experiment: ExperimentOut = EXPERIMENT) -> dict[str | None, str]:
    return {rule.field: rule.code for rule in refusals(taken, experiment, EARLIER, NOW)}


def test_the_next_look_is_taken() -> None:
    assert refused(look(4, cell(), closed_to=DAY.format(20))) == {}
    assert refusals(look(1), EXPERIMENT, [], NOW) == []


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({"closed_to": DAY.format(3)}, {"closed_to": "dates_order"}),
        ({"closed_to": "2026-03-02T23:59:59.999999Z"}, {"closed_to": "dates_order"}),
        ({"closed_to": "2026-03-20T12:00:00.000001Z"}, {"closed_to": "in_future"}),
        ({"configuration_version": 5}, {"configuration_version": "value_out_of_range"}),
        ({"inference": "confidence_sequence"}, {"inference": "frozen"}),
        ({"planned_units": 40_001}, {"planned_units": "frozen"}),
        ({"planned_units": None}, {"planned_units": "frozen"}),
    ],
)
def test_a_look_keeps_to_the_order_and_the_plan(fields: dict[str, Any], broken: dict[str, str]) -> None:
    assert refused(msgspec.structs.replace(look(4), **fields)) == broken


@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({"metric_key": "other"}, {"metric_key": "unknown_metric"}),
        ({"metric_version": 2}, {"metric_version": "unknown_metric"}),
        ({"variant_key": "control"}, {"variant_key": "unknown_variant"}),
        ({"variant_key": "other"}, {"variant_key": "unknown_variant"}),
        ({"share": 0.499}, {"share": "may_only_grow"}),
        ({"spent": 0.009}, {"spent": "may_only_grow"}),
        ({"rejected": True}, {"rejected_at": "invalid"}),
        ({"rejected_at": DAY.format(2)}, {"rejected_at": "invalid"}),
        ({"rejected": True, "rejected_at": DAY.format(5)}, {"rejected_at": "invalid"}),
        ({"rejected": True, "rejected_at": DAY.format(4)}, {}),
        ({"rejected": True, "rejected_at": DAY.format(1)}, {}),
    ],
)
def test_a_cell_is_of_the_configuration_and_never_falls_behind_any_earlier_look(
    fields: dict[str, Any], broken: dict[str, str]
) -> None:
    expected = {f"cells.0.{field}": code for field, code in broken.items()}
    assert refused(look(4, cell(**fields))) == expected


def test_an_arm_that_was_dropped_is_looked_at_on() -> None:
    arms = [arm.model_copy(update={"active": arm.is_control}) for arm in EXPERIMENT.variants]
    assert refused(look(4, cell()), EXPERIMENT.model_copy(update={"variants": arms})) == {}


def test_one_comparison_stands_once() -> None:
    assert refused(look(4, cell(), cell())) == {"cells.1": "duplicate"}
