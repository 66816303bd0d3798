"""Ramp, enrolment and release on an experiment's page, over states, roles and what is missing."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from api.experiments.answers import ExperimentOut
from api.experiments.release_fields import ReleasePut
from api.http.problems import Problem
from api.web.experiment.page import ExperimentPage, Ways, experiment_page, traffic_conflict_of
from api.web.experiment.traffic import (
    Act,
    Refused,
    Wanted,
    acts_of,
    errors_of_traffic,
    release_in,
    wanted_in,
)
from api.web.shared.frame import Frame, Visitor, render
from neonblue.contract.life_cycle import STARTED, Status
from tests.unit.api.web import made
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy

FRAME = Frame("", "x", Visitor("mira", "editor", "the-csrf-token"))
STEPS = [
    {"allocation": 100, "hold": "P1D", "units": None},
    {"allocation": 500, "hold": "PT36H", "units": 2000},
    {"allocation": 10000, "hold": "P1D", "units": None},
]
RELEASE = {"variant_key": "short-form", "share": 2_500, "population": "everyone"}


def ramp(position: int = 2, held: str | None = None) -> dict[str, Any]:
    since = "2026-03-12T00:00:00Z" if position else None
    return {
        "steps": STEPS,
        "on_breach": "pause",
        "position": position,
        "step_since": since,
        "held": held,
    }


RAMPS = {"none": None, "goes": ramp(), "held": ramp(held="why"), "finished": ramp(3), "first": ramp(0)}


def ramped(name: str, **fields: Any) -> dict[str, Any]:
    position = (RAMPS[name] or {"position": 0})["position"]
    share = STEPS[position - 1]["allocation"] if position else 100
    return {"ramp": RAMPS[name], "allocation": share} | fields


def page(experiment: ExperimentOut, *, may_edit: bool = True, **ways: Any) -> ExperimentPage:
    return experiment_page(experiment, made.glance(), (), NOW, may_edit=may_edit, ways=Ways(**ways))


def html(shown: ExperimentPage) -> Page:
    return parsed(render("experiment.html", FRAME, page=shown))


def sent_by(found: Page) -> set[str]:
    return {each.attributes["value"] for each in found.named("button") if "value" in each.attributes}


@pytest.mark.parametrize("status", Status)
def test_what_the_state_allows_is_offered_to_whoever_may_edit_and_nothing_else(status: Status) -> None:
    for name, enrolment, rolled, source in itertools.product(
        RAMPS, ("open", "closed"), (None, "open"), ("internal", "external")
    ):
        given = ramped(name, enrolment=enrolment, rolled_back_from=rolled, source=source)
        experiment = made.experiment(status, **given)
        internal, running = source == "internal", status is Status.RUNNING and RAMPS[name] is not None
        held = name == "held"
        wanted = {
            Act.HOLD: running and not held,
            Act.CONTINUE: running and held,
            Act.SKIP: running and name != "finished",
            Act.BACK: running and not (held and enrolment == "closed"),
            Act.CLOSE: status in STARTED and enrolment == "open" and rolled is None,
            Act.OPEN: status in STARTED and enrolment == "closed" and rolled is None,
            Act.RELEASE: status is Status.CONCLUDED,
        }
        expected = {act for act, possible in wanted.items() if possible and internal}
        assert set(acts_of(experiment)) == expected, given
        shown = html(page(experiment))
        assert sent_by(shown) == {act.value for act in expected}
        check_form(shown)
        check_policy(shown)


@pytest.mark.parametrize(("status", "name"), list(itertools.product(Status, RAMPS)))
def test_a_viewer_reads_the_same_and_has_no_form(status: Status, name: str) -> None:
    experiment = made.experiment(status, **ramped(name))
    shown = html(page(experiment, may_edit=False, refused=Refused(Act.HOLD, Wanted(), {"reason": "x"})))
    assert [form.attributes["action"] for form in shown.named("form")] == ["/logout"]
    assert not shown.named("select", "textarea")
    steps = next((each for each in shown.named("ol") if each.attributes["class"] == "steps plain"), None)
    assert (steps is None) == (name == "none")


def test_no_form_stands_in_what_is_drawn_once_for_all_visitors() -> None:
    for status, name in itertools.product(Status, RAMPS):
        shown = page(made.experiment(status, **ramped(name)))
        bare = render("experiment.html", Frame("", "", layout="bare.html"), page=shown)
        assert "<form" not in bare


def test_a_ramp_says_what_comes_next_and_why_nothing_does() -> None:
    told = {
        name: (traffic.ramp_text, [step.state for step in traffic.steps])
        for name in RAMPS
        if (traffic := page(made.experiment(**ramped(name))).traffic)
    }
    assert told == {
        "none": ("", []),
        "goes": (
            "Next: 100.00 %, from 2026-03-13 12:00Z on, while every guardrail holds.",
            ["done", "now", ""],
        ),
        "held": ("Held: why", ["done", "now", ""]),
        "finished": ("Every step is taken.", ["done", "done", "now"]),
        "first": ("Next: 5.00 %, while every guardrail holds.", ["", "", ""]),
    }


def test_a_release_is_offered_as_it_stands_and_as_the_control_where_there_is_none() -> None:
    concluded = {
        name: page(made.experiment(Status.CONCLUDED, release=given)).traffic
        for name, given in (("none", None), ("some", RELEASE))
    }
    forms = {name: traffic.release for name, traffic in concluded.items() if traffic}
    assert {name: form.given for name, form in forms.items() if form} == {
        "none": Wanted("", "control", "", "targeted", "none"),
        "some": Wanted("", "short-form", "25", "everyone", "none"),
    }


def test_a_dropped_arm_can_not_be_released() -> None:
    arms = [made.variant("control"), made.variant("short-form"), made.variant("gone", active=False)]
    traffic = page(made.experiment(Status.CONCLUDED, variants=arms)).traffic
    assert traffic is not None
    assert [arm for arm, _ in traffic.arms] == ["control", "short-form"]


@pytest.mark.parametrize(
    ("share", "basis_points"),
    [("25", 2_500), ("0", 0), ("12.5", 1_250), ("33.33", 3_333), ("100 %", 10_000), ("7%", 700)],
)
def test_a_share_is_in_percent_with_or_without_its_sign(share: str, basis_points: int) -> None:
    release = ReleasePut.model_validate(release_in(Wanted("", "short-form", share, "targeted", "none")))
    assert (release.share, release.ramp, release.reason) == (basis_points, None, None)


def test_a_release_without_a_share_is_refused_and_one_with_a_ramp_needs_none() -> None:
    with pytest.raises(Problem) as refused:
        release_in(Wanted("why", "short-form", "", "targeted", "none"))
    assert set(errors_of_traffic(refused.value)) == {"share"}
    for share in ("", "25"):
        release = ReleasePut.model_validate(
            release_in(Wanted("why", "short-form", share, "targeted", "careful"))
        )
        assert release.ramp is not None
        assert (release.stored(NOW)["share"], release.reason) == (release.ramp.steps[0].share, "why")


def test_what_was_refused_is_kept_with_why_beside_the_field_of_its_own_form() -> None:
    wanted = wanted_in({"reason": f" {UGLY} ", "share": "x", "ramp": "none", "variant_key": "control"})
    refused = Refused(Act.RELEASE, wanted, {"share": "must be a share", "": "not now"})
    found = html(page(made.experiment(Status.CONCLUDED, release=RELEASE), refused=refused))
    check_form(found)
    told = {
        each.attributes["id"]: each.text for each in found.elements if each.attributes.get("class") == "error"
    }
    assert told == {"release-share-error": "✗ must be a share", "release-all-error": "✗ not now"}
    fields = {each.attributes.get("id"): each for each in found.named("input", "textarea")}
    assert fields["release-share"].attributes["value"] == "x"
    assert fields["release-share"].attributes["aria-invalid"] == "true"
    assert fields["release-reason"].text == UGLY
    chosen = [
        each.attributes.get("value", each.text)
        for each in found.named("option")
        if "selected" in each.attributes
    ]
    assert chosen == ["control", "none"]


def test_one_form_s_refusal_stands_in_no_other() -> None:
    refused = Refused(Act.CLOSE, Wanted("kept"), {"reason": "too long"})
    traffic = page(made.experiment(**ramped("goes")), refused=refused).traffic
    assert traffic is not None
    assert traffic.ramp is not None
    assert traffic.enrolment is not None
    assert (traffic.ramp.given.reason, dict(traffic.ramp.errors)) == ("", {})
    assert (traffic.enrolment.given.reason, dict(traffic.enrolment.errors)) == (
        "kept",
        {"reason": "too long"},
    )


@pytest.mark.parametrize(("act", "status"), list(itertools.product(Act, (Status.RUNNING, Status.CONCLUDED))))
def test_whoever_was_slower_sees_both_versions_and_can_send_it_again_where_it_still_can_be(
    act: Act, status: Status
) -> None:
    experiment = made.experiment(status, version=4, **ramped("goes"))
    wanted = Wanted("kept <text>", "short-form", "25", "targeted", "none")
    versions = [made.version(4), made.version(3, "pause"), made.version(2, "start")]
    conflict = traffic_conflict_of(experiment, versions, act, 3, wanted)
    assert [field.name for field in conflict.changed] == ["allocation"]
    found = html(page(experiment, conflict=conflict, refused=Refused(act, wanted)))
    check_form(found)
    again = [each for each in found.named("button") if each.text.endswith("all the same")]
    assert bool(again) == (act in acts_of(experiment)) == conflict.possible
    if again:
        sent = {
            each.attributes["name"]: each.attributes["value"]
            for each in found.named("input")
            if each.attributes.get("type") == "hidden"
        }
        assert (sent["act"], sent["reason"], sent["version"]) == (act.value, "kept <text>", "4")
        assert ("share" in sent) == (act is Act.RELEASE)


def test_why_a_ramp_is_held_is_isolated_and_runs_nothing() -> None:
    variants = [made.variant("control", name=UGLY), made.variant("short-form", name=UGLY)]
    running = made.experiment(**ramped("held", ramp=ramp(held=UGLY), variants=variants))
    concluded = made.experiment(Status.CONCLUDED, variants=variants, release=RELEASE)
    for experiment in (running, concluded):
        text = render("experiment.html", FRAME, page=page(experiment)).partition('id="traffic"')[2]
        section = text.partition('id="configuration"')[0]
        assert "very-long-name" in section
        assert "<script>" not in section
        assert "\u202e" not in section
