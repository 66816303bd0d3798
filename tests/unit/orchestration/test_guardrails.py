"""Which guardrails are watched, and what counts as a breach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.analysis import MomentRow
from neonblue.analysis.experiment import watchers_of
from neonblue.contract.guardrails import error_parts, watched_guardrails
from neonblue.contract.messages import ExperimentMessage, MetricMessage, VariantMessage, WatchedMessage
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


def of_catalogue(key: str = "errors", place: int = 0, **fields: Any) -> WatchedMessage:
    """A metric of the catalogue that is watched there, by default from the start on."""
    defined = metric(key=key, margin=None)
    return WatchedMessage(**msgspec.structs.asdict(defined) | {"place": place, "since": 1} | fields)


@pytest.mark.parametrize(
    ("fields", "watched"),
    [
        ({"window_seconds": 10}, True),
        ({"window_seconds": 3600}, True),
        ({"window_seconds": 3601}, True),
        ({"window_seconds": 90 * 86_400}, True),
        ({"window_seconds": None}, False),
        ({"role": "primary", "margin": None}, False),
        ({"role": "secondary", "margin": None}, False),
        ({"type": "quantile", "quantile": "0.5", "aggregation": "sum"}, False),
        ({"type": "mean", "aggregation": "sum", "cap": "5"}, True),
        ({"type": "mean", "aggregation": "sum", "cap_percentile": "0.99"}, False),
        ({"type": "retention", "window_start_seconds": 60}, True),
    ],
)
def test_guardrails_whose_units_end_with_one_value_are_watched(fields: dict[str, Any], watched: bool) -> None:
    assert [one.key for one in watched_guardrails(experiment(metric(**fields)))] == ["errors"] * watched


def test_what_the_catalogue_watches_is_watched_as_a_guardrail_beside_its_own() -> None:
    gone = of_catalogue("gone", active=False)
    one = experiment(metric(), watched=[of_catalogue("crashes"), gone])

    assert [(found.key, found.role) for found in watched_guardrails(one)] == [
        ("errors", "guardrail"),
        ("crashes", "guardrail"),
    ]


@given(
    at_start=st.integers(0, 6),
    later=st.integers(0, 6),
    gone=st.sets(st.integers(0, 11)),
)
def test_parts_of_the_error_add_up_to_all_of_it_at_most_and_never_change(
    at_start: int, later: int, gone: set[int]
) -> None:
    places = [0] * at_start + list(range(1, later + 1))
    watched = [of_catalogue(f"m{n}", place, active=n not in gone) for n, place in enumerate(places)]
    parts = error_parts(watched)

    assert sum(Fraction(1, part) for part in parts.values()) <= 1
    for until in range(at_start, len(watched)):
        before = error_parts(watched[:until])
        assert before == {key: parts[key] for key in before}


@pytest.mark.parametrize(
    ("place", "others", "part"),
    [(0, 0, 2), (0, 4, 10), (1, 0, 4), (1, 4, 4), (2, 0, 12), (3, 0, 24)],
)
def test_each_part_of_the_error(place: int, others: int, part: int) -> None:
    watched = [of_catalogue("one", place), *(of_catalogue(f"other{n}") for n in range(others))]

    assert error_parts(watched)["one"] == part


def threshold(found: Callable[[int], bool]) -> int:
    """The smallest count of 2,000 that is found, beside 100 of 2,000."""
    return next(count for count in range(100, 2000) if found(count))


def test_a_metric_of_the_catalogue_has_its_part_of_one_more_guardrails_error() -> None:
    """As many others as take the same part: the same count is found."""
    watched = experiment(watched=[of_catalogue(), *(of_catalogue(f"m{n}") for n in range(4))])
    alike = experiment(metric(margin=None), *(metric(key=f"m{n}", margin=None) for n in range(9)))
    fields = {"inference": "confidence_sequence"}

    def count(one: ExperimentMessage) -> int:
        one = msgspec.structs.replace(one, **fields)
        return threshold(lambda n: bool(breaches(one, rows((100, 2000), (n, 2000)))))

    assert count(watched) == count(alike)


def test_its_own_guardrails_share_with_the_catalogue_only_where_that_was_so_from_the_start() -> None:
    own = metric(margin=None)
    fields: dict[str, Any] = {"inference": "confidence_sequence"}
    alone, two = experiment(own, **fields), experiment(own, metric(key="m"), **fields)
    from_start = experiment(own, watched=[of_catalogue("m")], **fields)
    later = experiment(own, watched=[of_catalogue("m", place=1)], **fields)

    def count(one: ExperimentMessage) -> int:
        return threshold(lambda n: bool(breaches(one, rows((100, 2000), (n, 2000)))))

    assert count(alone) == count(later) < count(from_start) == count(two)


def test_a_metric_that_came_later_counts_the_units_that_entered_since() -> None:
    seen = rows((100, 2000), (400, 2000))
    since = experiment(watched=[of_catalogue(place=1, since=2)])
    fresh = [replace(row, version=2) for row in seen]

    assert breaches(since, seen) == []
    assert [one.metric_key for one in breaches(since, fresh)] == ["errors"]


@pytest.mark.parametrize("fields", [{"status": "paused"}, {"status": "concluded"}, {"source": "external"}])
def test_an_experiment_that_cannot_be_paused_is_not_watched(fields: dict[str, str]) -> None:
    assert watched_guardrails(experiment(metric(), watched=[of_catalogue("m")], **fields)) == []
    assert breaches(experiment(watched=[of_catalogue()], **fields), rows((100, 2000), (400, 2000))) == []


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


def test_five_metrics_of_the_catalogue_without_any_effect_pause_at_most_a_twentieth() -> None:
    """Each unit's five values are drawn alike in both arms; a look after every 400 units of each."""
    random, keys, alarms = np.random.default_rng(23), [f"m{n}" for n in range(5)], 0
    watched = experiment(watched=[of_catalogue(key) for key in keys])
    for _ in range(60):
        counts = (random.random((2, 5, 3000)) < 0.1).cumsum(axis=2)
        alarms += any(
            breaches(
                watched,
                [
                    replace(row, metric_key=key)
                    for k, key in enumerate(keys)
                    for row in rows((int(counts[0, k, n]), n + 1), (int(counts[1, k, n]), n + 1))
                ],
            )
            for n in range(199, 3000, 400)
        )

    assert alarms <= 7  # P(more than 7 of 60 | 5 %) is below 1 %


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
