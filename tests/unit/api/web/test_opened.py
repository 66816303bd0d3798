"""A metric's opened row: what it means in words, what was done to its numbers, and that it stays open."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.web.experiment.metrics import about_metric
from api.web.experiment.opened import opened_of
from api.web.experiment.page import ExperimentPage, Ways, drawn_sections, experiment_page
from api.web.shared.definitions import definition_of, measured
from api.web.shared.frame import Frame, Visitor, render
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import Status
from neonblue.contract.metric_types import METRIC_TYPES
from neonblue.statistics import Method
from tests.unit.api.web import made
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy

FRAME = Frame("", "x", Visitor("mira", "editor", "the-csrf-token"))
KEY = "revenue & <b>"


def page(open_: str, *, anyway: bool = False, **fields: Any) -> ExperimentPage:
    experiment = made.experiment(
        **{"metrics": [made.metric("conversion"), made.metric(KEY, "secondary")]} | fields
    )
    found = made.answer(items=(made.item(), made.item(KEY, role="secondary")))
    return experiment_page(
        experiment, made.glance(found), (), NOW, may_edit=True, ways=Ways(anyway=anyway, open=open_)
    )


def html(shown: ExperimentPage) -> Page:
    return parsed(render("experiment.html", FRAME, page=shown))


def links(found: Page) -> dict[str, tuple[str, str]]:
    return {
        each.text: (each.attributes["href"], each.attributes["aria-expanded"])
        for each in found.named("a")
        if each.attributes.get("class") == "disclose"
    }


def opened_rows(found: Page) -> list[str]:
    return [
        row.attributes["data-row"]
        for row in found.named("tr")
        if row.attributes.get("data-row", "").endswith(", opened")
    ]


def test_a_row_opens_and_closes_by_its_link_alone() -> None:
    closed, opened = html(page("")), html(page(KEY))
    path = "/experiments/checkout"
    query = "?open=revenue+%26+%3Cb%3E"
    assert links(closed) == {
        "conversion": (f"{path}?open=conversion#metric-1-1", "false"),
        KEY: (f"{path}{query}#metric-1-2", "false"),
    }
    assert links(opened) == {
        "conversion": (f"{path}?open=conversion#metric-1-1", "false"),
        KEY: (f"{path}#metric-1-2", "true"),
    }
    assert (opened_rows(closed), opened_rows(opened)) == ([], [f"{KEY}, opened"])
    for found in (closed, opened):
        check_form(found)
        check_policy(found)
        ids = {each.attributes["id"] for each in found.elements if "id" in each.attributes}
        assert {href.partition("#")[2] for href, _ in links(found).values()} <= ids


def test_numbers_that_are_shown_anyway_stay_shown_when_a_row_opens_or_closes() -> None:
    for open_ in ("", KEY):
        assert all("anyway=1" in href for href, _ in links(html(page(open_, anyway=True))).values())


@pytest.mark.parametrize(
    ("open_", "status"), list(itertools.product((KEY, "conversion", "not there", UGLY), Status))
)
def test_any_row_opens_in_any_state_and_what_is_not_there_opens_nothing(open_: str, status: Status) -> None:
    found = html(page(open_, status=status, started_at=made.experiment(status).started_at))
    check_policy(found)
    assert opened_rows(found) == ([f"{open_}, opened"] if open_ in (KEY, "conversion") else [])


@pytest.mark.parametrize("state", State)
def test_a_row_opens_without_numbers_and_says_so(state: State) -> None:
    metric = made.metric("conversion", cuped=True)
    shown = experiment_page(
        made.experiment(metrics=[metric]), made.glance(made.answer(status=state, items=())), (), NOW,
        may_edit=False, ways=Ways(open="conversion"),
    )  # fmt: skip
    assert shown.metrics is not None
    (row,) = shown.metrics.arms[0].rows
    assert row.opened is not None
    assert dict(row.opened.facts)["CUPED"] == "asked for; there are no numbers yet"


def test_a_row_that_is_folded_away_is_unfolded_when_it_is_open() -> None:
    names = [f"metric_{number}" for number in range(12)]
    metrics = [made.metric("conversion"), *(made.metric(name, "secondary") for name in names)]
    for open_, unfolded in (("metric_3", True), ("conversion", False), ("", False)):
        shown = page(open_, metrics=metrics).metrics
        assert shown is not None
        assert shown.arms[0].unfolded is unfolded
        details = [
            each for each in html(page(open_, metrics=metrics)).named("details") if "metrics" in each.text
        ]
        assert ["open" in each.attributes for each in details] == [unfolded]


def test_each_arm_has_its_own_anchor_and_its_own_numbers() -> None:
    variants = [made.variant(key) for key in ("control", "a", "b")]
    items = (made.item(arm="a", relative_lift=-0.1), made.item(arm="b", method="cuped", missing_variant=7))
    shown = experiment_page(
        made.experiment(variants=variants, metrics=[made.metric("conversion")]),
        made.glance(made.answer(items=items)), (), NOW, may_edit=False, ways=Ways(open="conversion"),
    ).metrics  # fmt: skip
    assert shown is not None
    opened = {arm.arm: arm.rows[0] for arm in shown.arms}
    assert {arm: row.anchor for arm, row in opened.items()} == {"a": "metric-1-1", "b": "metric-2-1"}
    facts = {arm: dict(row.opened.facts) for arm, row in opened.items() if row.opened}
    assert facts["a"]["CUPED"] == "asked for, and not used in this test"
    assert facts["b"]["CUPED"].startswith("used")
    assert facts["b"]["left out, without a value"] == "0 in the control, 7 in the arm"
    assert "left out, without a value" not in facts["a"]


def test_what_is_drawn_for_the_stream_has_the_same_row_open_and_is_kept_once_for_what_is_not_there() -> None:
    shown = made.experiment(metrics=[made.metric("conversion")])
    pulse = cast("Any", SimpleNamespace(experiment=shown, glance=made.glance(made.answer()), drawn={}))
    closed = drawn_sections(pulse, "", Ways())
    opened = drawn_sections(pulse, "", Ways(open="conversion"))
    assert ", opened" in opened
    assert ", opened" not in closed
    assert [drawn_sections(pulse, "", Ways(open=name)) for name in ("x", "y", UGLY)] == [closed] * 3
    assert len(pulse.drawn) == 2


def test_every_type_has_a_definition_of_its_own() -> None:
    below = {"event_type": "visit", "property_filter": None, "aggregation": "count"}
    given: dict[str, dict[str, Any]] = {
        "proportion": {"aggregation": "any", "event_type": "purchase", "window_seconds": 604_800},
        "mean": {"property_filter": {"plan": "pro"}, "window_seconds": None},
        "ratio": {"denominator": below, "aggregation": "count", "window_seconds": 3_600},
        "count": {"aggregation": "count", "missing": "exclude", "window_seconds": 86_400},
        "retention": {"aggregation": "any", "window_start_seconds": 604_800, "window_seconds": 691_200},
        "quantile": {"quantile": "0.95", "window_start_seconds": 60, "window_seconds": None},
    }
    assert set(given) == set(METRIC_TYPES)
    assert {name: definition_of(made.metric("x", type=name, **fields)) for name, fields in given.items()} == {
        "proportion": "The share of units with an event purchase, within 7 days of the unit’s entry.",
        "mean": "The mean over units of the sum of the values of events purchase whose plan is pro, since the "
        "unit’s entry.",
        "ratio": "Over all units, the number of events purchase divided by the number of events visit, within "
        "1 hour of the unit’s entry.",
        "count": "The mean over units of the number of events purchase, within 1 day of the unit’s entry. Units "
        "without such an event are left out.",
        "retention": "The share of units with an event purchase, from 7 days to 8 days after the unit’s entry.",
        "quantile": "The 95 % quantile over units of the sum of the values of events purchase, from 1 minute "
        "after the unit’s entry on.",
    }


@pytest.mark.parametrize("method", ["", *Method])
def test_caps_tests_and_corrections_are_told_of_every_method(method: str) -> None:
    metric = made.metric("x", cap=None, cap_percentile="0.99", cuped=method == "cuped")
    facts = dict(opened_of(metric, made.item("x", method=method, p_value=0.02, adjusted_p=0.04)).facts)
    assert facts["cap"] == "what is above the 99.00 % quantile of all arms counts as that"
    assert ("test" in facts) == bool(method)
    assert facts["correction"] == "p is 0.0200 alone, 0.0400 within its family"
    assert facts["CUPED"].startswith("used") == (method == "cuped")
    same = dict(opened_of(made.metric("x", cap="500"), made.item("x", p_value=0.5, adjusted_p=0.5)).facts)
    assert same["cap"] == "what is above 500 counts as 500"
    assert same["correction"].startswith("none")


@pytest.mark.parametrize(
    ("quantile", "told"),
    [("0.5", "50 %"), ("0.125", "12.5 %"), ("0.995", "99.5 %"), ("0.000001", "0.0001 %")],
)
def test_a_quantile_is_told_as_it_was_written(quantile: str, told: str) -> None:
    metric = made.metric("m", type="quantile", aggregation="sum", quantile=quantile)
    assert measured(metric) == f"the {told} quantile over units of the sum of the values of events purchase"


@pytest.mark.parametrize("kind", sorted(METRIC_TYPES))
def test_a_margin_is_in_points_where_the_metric_is_a_share_of_units(kind: str) -> None:
    metric = made.metric("m", role="guardrail", type=kind, margin="0.02", margin_relative=False)
    assert ("pp" in about_metric(metric)) == METRIC_TYPES[kind].is_rate
