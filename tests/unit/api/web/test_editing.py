"""The form of an experiment: what it says is what the API is told, and what it does not show stays."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.checklist.schemas import Checklist
from api.experiments import changes
from api.experiments.answers import ExperimentOut, VersionOut
from api.experiments.readiness import ChecklistItem, Grade
from api.experiments.schemas import ExperimentIn
from api.http.problems import Problem
from api.web.editing.form import (
    ACTIVE,
    EMPTY,
    Form,
    changed,
    completed,
    created,
    form_in,
    form_of,
    merged,
    said,
)
from api.web.editing.page import Answered, Choices, as_seen, editing_page, open_fields
from api.web.shared.frame import Frame, Visitor, render
from neonblue.contract.life_cycle import STARTED, Status
from tests.unit.api.web import made
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.test_experiment_page import check_policy

FRAME = Frame("", "x", Visitor("mira", "editor", "the-csrf-token"), "http://localhost:3000")
CHOICES = Choices((("conversion", "Conversion"), ("returns", "")), ("checkout",), ("holdout-2026",))
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).map(str.strip)
KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)


@st.composite
def experiments(draw: st.DrawFn) -> ExperimentOut:
    keys = draw(st.lists(KEYS, min_size=2, max_size=6, unique=True))
    arms = [
        made.variant(
            key,
            is_control=place == 0,
            weight=draw(st.integers(1, 1_000_000)),
            name=draw(TEXTS) or None,
            payload=draw(
                st.none()
                | st.dictionaries(KEYS, st.integers(-(2**53), 2**53) | TEXTS | st.none(), max_size=3)
            ),
            active=place < 2 or draw(st.booleans()),
        )
        for place, key in enumerate(keys)
    ]
    return made.experiment(
        draw(st.sampled_from([Status.DRAFT, Status.RUNNING, Status.PAUSED, Status.CONCLUDED])),
        name=draw(TEXTS) or None,
        hypothesis=draw(TEXTS) or None,
        owner=draw(TEXTS) or None,
        tags=draw(st.lists(KEYS, max_size=4, unique=True)),
        variants=arms,
        metrics=[made.metric(key) for key in draw(st.sets(st.sampled_from(["conversion", "returns"])))],
        allocation=draw(st.integers(0, 10_000)),
        holdouts=draw(st.none() | st.lists(KEYS, max_size=3, unique=True)),
        targeting=draw(st.none() | st.just("attributes.country == 'DE'")),
        planned_days=draw(st.none() | st.integers(1, 3_650)),
        planned_units=draw(st.none() | st.integers(1, 2**53)),
    )


def sent(form: Form) -> Form:
    """As a browser sends it back."""
    counts = {"rows.arms": str(form.arms), "rows.metrics": str(form.metrics)}
    return form_in({**form.texts, **counts})


@settings(max_examples=200, deadline=None)
@given(experiments())
def test_what_is_sent_back_as_it_stands_says_the_experiment_and_changes_nothing(
    experiment: ExperimentOut,
) -> None:
    before = form_of(experiment)
    known = {metric.key: metric for metric in experiment.metrics}
    form = completed(before, sent(before), open_fields(experiment, CHOICES))
    told = said(form, known)
    assert told.errors == {}
    assert changed(before, form, told.body) == {}
    written = changes.written(experiment)
    body = {name: value for name, value in told.body.items() if name != "metrics"}
    assert ExperimentIn.model_validate(created(form, body)).model_dump(
        exclude={"salt", "layer", "ramp", "metrics"}
    ) == written.model_dump(exclude={"salt", "layer", "ramp", "metrics"})


@settings(max_examples=100, deadline=None)
@given(experiments(), st.dictionaries(st.sampled_from(sorted(EMPTY.texts)) | TEXTS, TEXTS))
def test_what_a_state_does_not_let_change_does_not_whatever_is_sent(
    experiment: ExperimentOut, hostile: dict[str, str]
) -> None:
    before = form_of(experiment)
    allowed = open_fields(experiment, CHOICES)
    form = completed(before, form_in(hostile), allowed)
    told = said(form, {metric.key: metric for metric in experiment.metrics})
    fields = changed(before, form, told.body)
    assert fields.keys() <= {"variants" if name == ACTIVE else name for name in allowed}
    if ACTIVE in allowed and "variants" in fields:
        stand = [arm.model_dump(exclude={"active"}) for arm in experiment.variants]
        assert [
            {name: value for name, value in arm.items() if name != "active"} for arm in fields["variants"]
        ] == stand


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("variants.1.payload", '{"wrap": true', "variants.1.payload"),
        ("variants.1.weight", "a half", "variants.1.weight"),
        ("allocation", "101 %", "allocation"),
        ("allocation", "NaN", "allocation"),
        ("allocation", "", "allocation"),
        ("allocation", "0.001 %", "allocation"),
        ("planned_days", "3.5", "planned_days"),
        ("planned_units", "9" * 30, "planned_units"),
    ],
)
def test_what_can_not_be_read_is_told_beside_its_input(name: str, text: str, place: str) -> None:
    form = Form(EMPTY.texts | {"key": "gift-wrap", name: text})
    told = said(form)
    assert list(told.errors) == [place]
    page = draw(None, form, Answered(said=told))
    (field,) = [one for one in page.elements if one.attributes.get("id") == place]
    assert field.attributes["aria-invalid"] == "true"
    assert field.attributes["aria-describedby"].split()[0] == f"{place}-error"
    assert f"#{place}" in [one.attributes.get("href") for one in page.named("a")]


def test_rows_that_are_empty_are_no_arms_and_errors_stand_where_they_were_typed() -> None:
    texts = {
        "key": "k",
        "variants.0.key": "a",
        "variants.3.key": "b",
        "variants.3.active": "yes",
        "control": "3",
    }
    told = said(Form(EMPTY.texts | {"variants.1.key": ""} | texts, arms=5))
    assert [(arm["key"], arm["is_control"]) for arm in told.body["variants"]] == [("a", False), ("b", True)]
    assert told.place_of("variants.1.payload") == "variants.3.payload"
    assert told.place_of("variants") == "variants"
    assert told.place_of(None) == ""


def test_a_ramp_says_the_share_where_nobody_else_does() -> None:
    form = Form(EMPTY.texts | {"key": "k", "ramp": "standard"})
    assert "allocation" not in created(form, said(form).body)
    form = Form(EMPTY.texts | {"key": "k", "ramp": "standard", "allocation": "1 %"})
    assert created(form, said(form).body)["allocation"] == 100
    assert ExperimentIn.model_validate(created(form, said(form).body)).ramp is not None


def test_what_the_form_does_not_ask_of_a_metric_stays() -> None:
    used = made.metric("conversion", role="guardrail", margin="0.02", cuped=True, on_breach="pause")
    experiment = made.experiment(Status.DRAFT, metrics=[used])
    form = form_of(experiment)
    form = Form(dict(form.texts) | {"metrics.0.margin": "0.03", "metrics.1.key": "returns"}, form.arms, 2)
    first, second = said(form, {"conversion": used}).body["metrics"]
    assert (first["margin"], first["cuped"], first["on_breach"], first["version"]) == (
        "0.03",
        True,
        "pause",
        used.version,
    )
    assert second == {"key": "returns"}


@pytest.mark.parametrize("status", Status)
def test_each_state_opens_what_the_api_lets_change(status: Status) -> None:
    experiment = made.experiment(status)
    allowed = changes.changeable(status)
    found = open_fields(experiment, CHOICES)
    assert "key" not in found
    if allowed is not None:
        assert {"variants" if name == ACTIVE else name for name in found} <= allowed
    page = draw(experiment, form_of(experiment))
    named = {
        one.attributes["name"]: one
        for one in page.named("input", "select", "textarea")
        if "name" in one.attributes
    }
    for name in ("name", "allocation", "targeting", "variants.0.key", "metrics.0.key"):
        assert ("disabled" in named[name].attributes) == (name.partition(".")[0] not in found), name
    assert ("disabled" in named["variants.1.active"].attributes) == (
        status not in STARTED | {Status.DRAFT, Status.SCHEDULED}
    )


def test_metrics_that_the_experiment_defines_itself_are_left_alone() -> None:
    experiment = made.experiment(Status.DRAFT, metrics=[made.metric("own")])
    assert "metrics" not in open_fields(experiment, CHOICES)
    page = draw(experiment, form_of(experiment))
    assert "defines metrics itself" in page.named("main")[0].text


def test_ugly_texts_run_nothing_and_labels_are_whole() -> None:
    texts = dict.fromkeys(EMPTY.texts, made.UGLY) | {"key": made.UGLY, "tags": made.UGLY}
    told = said(Form(texts, arms=3, metrics=3))
    problem = Problem(422, "invalid", made.UGLY, field="variants.0.key", members={})
    for experiment in (None, made.experiment(Status.DRAFT, name=made.UGLY, key="k")):
        page = draw(experiment, Form(texts, arms=3, metrics=3), Answered(problem, told, saw=1))
        labelled = {one.attributes.get("for") for one in page.named("label")}
        for field in page.named("input", "select", "textarea"):
            if field.attributes.get("type") == "hidden":
                continue
            named = (
                field.attributes.get("id") in labelled
                or "aria-label" in field.attributes
                or "label" in field.within
            )
            assert named, field
        ids = [one.attributes["id"] for one in page.elements if "id" in one.attributes]
        assert len(ids) == len(set(ids))


def test_two_who_edit_see_what_differs_and_keep_what_they_typed() -> None:
    experiment = made.experiment(Status.DRAFT, version=3, hypothesis="Theirs")
    versions: list[VersionOut] = [
        made.version(3, difference={"hypothesis": {"before": "Ours", "after": "Theirs"}}),
        made.version(2),
    ]
    form = Form(dict(form_of(experiment).texts) | {"hypothesis": "Mine"})
    problem = Problem(412, "stale", "It was changed meanwhile")
    page = draw(experiment, form, Answered(problem, said(form), saw=2, versions=versions))
    text = page.named("main")[0].text
    assert "You saw version 2; it is version 3 now" in text
    assert "Theirs" in text
    (kept,) = [one for one in page.named("textarea") if one.attributes.get("name") == "hypothesis"]
    assert kept.text == "Mine"
    assert [
        one.attributes["value"] for one in page.named("input") if one.attributes.get("name") == "version"
    ] == ["3"]


@settings(max_examples=100, deadline=None)
@given(experiments(), st.data())
def test_of_two_who_edit_each_keeps_what_they_alone_changed(mine: ExperimentOut, data: st.DataObject) -> None:
    """seen → theirs by some fields; mine differs from seen by others."""
    fields = ("name", "hypothesis", "owner", "tags", "allocation", "targeting", "planned_days", "variants")
    their_fields = data.draw(st.sets(st.sampled_from(fields)))
    my_fields = data.draw(st.sets(st.sampled_from(fields)))
    seen, theirs = made.experiment(Status.DRAFT), mine.model_dump(mode="json")
    now = ExperimentOut.model_validate(
        seen.model_dump(mode="json")
        | {name: theirs[name] for name in their_fields}
        | {"version": seen.version + 1}
    )
    difference = changes.difference(seen, now)
    assert as_seen(now, [made.version(now.version, difference=difference)], seen.version) == seen.model_copy(
        update={"version": now.version}
    )
    other = made.experiment(
        Status.DRAFT,
        name="M",
        hypothesis="M",
        owner="m",
        tags=["m"],
        allocation=77,
        targeting="attributes.m == 1",
        planned_days=77,
        variants=[made.variant("control"), made.variant("m")],
    )
    typed = form_of(seen.model_copy(update={name: getattr(other, name) for name in my_fields}))
    result = said(merged(form_of(seen), typed, form_of(now)), {}).body
    for name in fields:
        wanted = other if name in my_fields else now
        assert result[name] == said(form_of(wanted), {}).body[name], name


@pytest.mark.parametrize(("blocking", "warning"), list(product((0, 1, 2), (0, 1))))
def test_the_checklist_stands_beside_a_draft(blocking: int, warning: int) -> None:
    grades = [Grade.BLOCKING] * blocking + [Grade.WARNING] * warning + [Grade.OK]
    items = [
        ChecklistItem(
            code=f"c{place}", status=grade, headline=f"Found {place}", cause="Because", next_step="Do it"
        )
        for place, grade in enumerate(grades)
    ]
    checklist = Checklist(
        experiment="checkout", experiment_id=1, experiment_status=Status.DRAFT, status=grades[0], items=items
    )
    experiment = made.experiment(Status.DRAFT)
    page = parsed(
        render(
            "editing.html",
            FRAME,
            page=editing_page(experiment, form_of(experiment), CHOICES, None, checklist),
        )
    )
    text = page.named("aside")[0].text
    assert all(item.headline in text for item in items)
    assert ("block" in text) == bool(blocking)


def draw(experiment: ExperimentOut | None, form: Form, answered: Answered | None = None, **more: Any) -> Page:
    page = parsed(
        render("editing.html", FRAME, page=editing_page(experiment, form, CHOICES, answered, **more))
    )
    check_policy(page)
    return page
