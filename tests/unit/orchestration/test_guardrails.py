"""Which guardrails are watched, and what counts as a breach."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from neonblue.analysis import MomentRow
from neonblue.analysis.experiment import watchers_of
from neonblue.contract.guardrails import watched_guardrails
from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage
from neonblue.guardrails.breaches import breaches

BARELY = 150
"""Failures of 2,000 that are one guardrail's alarm beside 100 of 2,000, and not one of two."""


def metric(**fields: Any) -> MetricMessage:
    neutral: dict[str, Any] = {
        "key": "errors",
        "type": "proportion",
        "role": "guardrail",
        "direction": "decrease",
        "event_type": "error",
        "aggregation": "any",
        "window_seconds": 600,
        "margin": "0.2",
    }
    return MetricMessage(**(neutral | fields))


def experiment(*metrics: MetricMessage, **fields: Any) -> ExperimentMessage:
    neutral: dict[str, Any] = {"status": "running", "source": "internal"}
    return ExperimentMessage(
        experiment_id=1,
        key="checkout",
        unit_type="user",
        population="exposed",
        version=1,
        salt="s",
        allocation=10_000,
        variants=[
            VariantMessage(key="control", weight=1, is_control=True),
            VariantMessage(key="treatment", weight=1),
        ],
        metrics=list(metrics),
        received_at="2026-01-01T00:00:00.000000Z",
        **(neutral | fields),
    )


def rows(control: tuple[int, int], treatment: tuple[int, int]) -> list[MomentRow]:
    return [
        MomentRow("errors", 1, arm, 1, date.min, n, Decimal(count), Decimal(count))
        for arm, (count, n) in (("control", control), ("treatment", treatment))
    ]


def test_guardrails_with_a_window_of_at_most_an_hour_are_watched() -> None:
    watched = watched_guardrails(
        experiment(
            metric(key="hour", window_seconds=3600),
            metric(key="longer", window_seconds=3601),
            metric(key="for_ever", window_seconds=None),
            metric(key="primary", role="primary"),
            metric(key="median", type="quantile"),
        )
    )

    assert [one.key for one in watched] == ["hour"]


@pytest.mark.parametrize("fields", [{"status": "paused"}, {"status": "concluded"}, {"source": "external"}])
def test_an_experiment_that_cannot_be_paused_is_not_watched(fields: dict[str, str]) -> None:
    assert watched_guardrails(experiment(metric(), **fields)) == []


def test_harm_beyond_the_margin_is_a_breach_that_says_what_was_seen() -> None:
    (breach,) = breaches(experiment(metric()), rows((100, 2000), (240, 2000)))

    assert (breach.metric_key, breach.variant_key) == ("errors", "treatment")
    assert "0.12 against 0.05" in breach.reason
    assert (breach.n_control, breach.n_variant) == (2000, 2000)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        ((100, 2000), (110, 2000)),  # within the margin
        ((240, 2000), (100, 2000)),  # better
        ((100, 2000), (150, 2000)),  # worse, but not shown to be beyond the margin
        ((2, 90), (60, 90)),  # too few units
        ((0, 0), (0, 0)),
    ],
)
def test_no_breach_without_the_evidence(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    assert breaches(experiment(metric()), rows(control, treatment)) == []


def test_without_a_margin_it_must_be_significantly_worse_in_the_metrics_direction() -> None:
    unmargined = metric(margin=None)

    assert len(breaches(experiment(unmargined), rows((100, 2000), (240, 2000)))) == 1
    assert breaches(experiment(unmargined), rows((240, 2000), (100, 2000))) == []


@pytest.mark.parametrize(
    ("others", "fields", "found"),
    [
        ([], {}, True),
        ([], {"inference": "group_sequential", "planned_units": 4000}, False),
        ([{"key": "late", "window_seconds": None}], {}, False),
        ([{"key": "sold", "role": "primary", "margin": None}], {}, True),
    ],
)
def test_the_error_is_shared_with_every_other_alarm(
    others: list[dict[str, Any]], fields: dict[str, Any], found: bool
) -> None:
    """With a guardrail that the sensor does not watch, and with the decision where that tests in a way of its own."""
    one = experiment(
        metric(margin=None),
        *(metric(**other) for other in others),
        **{"inference": "confidence_sequence", **fields},
    )

    assert bool(breaches(one, rows((100, 2000), (BARELY, 2000)))) is found


def test_looking_after_every_unit_rarely_finds_a_breach_that_is_none() -> None:
    """At the margin itself, where harm is hardest to tell: at most 5 % of the experiments may be paused."""
    random = np.random.default_rng(11)
    paused = 0
    for _ in range(60):
        units = random.random((2, 3000)) < np.array([[0.10], [0.12]])
        counts = units.cumsum(axis=1)
        paused += any(
            breaches(experiment(metric()), rows((int(counts[0, n]), n + 1), (int(counts[1, n]), n + 1)))
            for n in range(199, 3000, 200)
        )

    assert paused <= 7  # P(more than 7 of 60 | 5 %) is below 1 %


def test_a_lopsided_canary_of_revenue_without_an_effect_is_not_paused() -> None:
    rng, paused = np.random.default_rng(19), 0
    revenue = metric(
        key="revenue",
        type="mean",
        event_type="order",
        aggregation="sum",
        direction="increase",
        margin=None,
    )
    variants = [
        VariantMessage(key="control", weight=95, is_control=True),
        VariantMessage(key="treatment", weight=5),
    ]
    for _ in range(12):
        sums = {"control": (0, 0.0, 0.0), "treatment": (0, 0.0, 0.0)}
        for _ in range(10):
            for arm, n in (("control", 1900), ("treatment", 100)):
                values = np.where(rng.random(n) < 0.05, rng.lognormal(3, 1.5, n), 0.0)
                count, total, squares = sums[arm]
                sums[arm] = count + n, total + float(values.sum()), squares + float((values**2).sum())
            seen = [
                MomentRow("revenue", 1, arm, 1, date.min, n, Decimal(total), Decimal(squares))
                for arm, (n, total, squares) in sums.items()
            ]
            if breaches(msgspec.structs.replace(experiment(revenue), variants=variants), seen):
                paused += 1
                break

    assert paused == 0


@pytest.mark.parametrize(
    ("fields", "watchers"), [({"type": "count"}, 2), ({"type": "count", "cuped": False}, 1), ({}, 1)]
)
def test_a_decision_that_adjusts_for_a_covariate_is_another_test_than_the_sensors(
    fields: dict[str, Any], watchers: int
) -> None:
    watched = metric(**fields)

    assert watchers_of(experiment(watched, inference="confidence_sequence"), watched) == watchers
