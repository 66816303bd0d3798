"""An experiment's page over every status, result, role and ugly name: whole, escaped, never without a sentence."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from api.experiments.answers import ExperimentOut
from api.http.problems import Problem
from api.results.glances import Glance, Missing
from api.web.experiment.configuration import configuration_of
from api.web.experiment.decision import decision_of
from api.web.experiment.page import ExperimentPage, Ways, conflict_of, experiment_page
from api.web.experiment.steps import Given, asked_of, decided_by, errors_of, offers_of
from api.web.shared.frame import Frame, Visitor, render
from api.web.shared.results import WHY_MISSING, seen_of
from neonblue.analysis.why import State
from neonblue.contract.life_cycle import STARTED, Status, Step, legal_steps
from tests.unit.api.web import made
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY

FRAME = Frame("", "x", Visitor("mira", "editor", "the-csrf-token"), "http://localhost:3000")
ACTIONS = tuple(made.SENTENCES)
ANSWERS = {
    **{action: made.answer(action) for action in ACTIONS},
    **{state.value: made.answer(status=state) for state in State if state is not State.OK},
}
GLANCES = {
    **{name: made.glance(answer) for name, answer in ANSWERS.items()},
    **{f"{missing.name} alone": made.glance(missing=missing) for missing in Missing},
    **{f"{missing.name} beside old": made.glance(ANSWERS["ship"], 400, missing) for missing in Missing},
}


def page(experiment: ExperimentOut, glance: Glance, *, may_edit: bool = True, **ways: Any) -> ExperimentPage:
    versions = [made.version(2), made.version(1, "create")]
    return experiment_page(experiment, glance, versions, NOW, may_edit=may_edit, ways=Ways(**ways))


def html(shown: ExperimentPage) -> Page:
    return parsed(render("experiment.html", FRAME, page=shown))


def check_form(found: Page) -> None:
    """Every field has a label or is hidden, every form its CSRF token, and what describes a field is there."""
    ids = [element.attributes["id"] for element in found.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    labelled = {label.attributes["for"] for label in found.named("label") if "for" in label.attributes}
    for field in found.named("input", "select", "textarea"):
        hidden = field.attributes.get("type") == "hidden"
        assert hidden or field.attributes.get("id") in labelled or "label" in field.within, field
    for element in found.elements:
        for name in ("aria-describedby", "aria-labelledby"):
            assert set(element.attributes.get(name, "").split()) <= set(ids)
    posting = [form for form in found.named("form") if form.attributes.get("method") == "post"]
    tokens = [field for field in found.named("input") if field.attributes.get("name") == "csrf"]
    assert [field.attributes["value"] for field in tokens] == ["the-csrf-token"] * len(posting)


def check_policy(found: Page) -> None:
    assert not found.named("script", "style")
    for element in found.elements:
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for name in ("src", "action"):
            assert element.attributes.get(name, "/").startswith("/")
    assert len(found.named("h1")) == 1


@pytest.mark.parametrize("status", Status)
def test_every_state_has_a_whole_page_with_its_sentence(status: Status) -> None:
    for name, may_edit in itertools.product(GLANCES, (True, False)):
        shown = page(made.experiment(status), GLANCES[name], may_edit=may_edit)
        decision = shown.decision
        assert decision.title, name
        assert decision.say or decision.people, (status, name)
        found = html(shown)
        check_policy(found)
        check_form(found)
        assert decision.title in next(h.text for h in found.named("h2"))
        buttons = [
            element.text for element in found.named("a", "button") if element.text.strip("…") in LABELS
        ]
        steps = [step for step in legal_steps(status) if may_edit and step is not Step.SCHEDULE]
        assert len(buttons) == len(steps), (status, name)


LABELS = {"Schedule", "Take off the schedule", "Start", "Pause", "Roll back", "Resume", "Conclude", "Archive"}


@pytest.mark.parametrize("status", sorted(STARTED))
def test_every_result_without_numbers_says_why_and_what_comes_next(status: Status) -> None:
    said = {}
    for state in State:
        if state in (State.OK, State.TOO_EARLY):
            continue
        experiment = made.experiment(status)
        decision = decision_of(experiment, seen_of(experiment, GLANCES[state.value]), NOW)
        assert decision.say.endswith((".", "seconds."))
        assert decision.would, state
        assert "No decision" not in decision.title
        said[state] = decision.say
    assert len(set(said.values())) >= len(said) - 1  # two are the same: it has just started


@pytest.mark.parametrize("missing", Missing)
def test_results_that_can_not_be_read_are_said_so_and_the_rest_is_shown(missing: Missing) -> None:
    shown = page(made.experiment(), made.glance(missing=missing))
    assert shown.decision.say == WHY_MISSING[missing]
    assert shown.configuration.arms
    assert shown.metrics is not None
    assert [row.verdict for arm in shown.metrics.arms for row in arm.rows] == ["no test"]


def test_what_people_decided_stands_though_results_can_not_be_read() -> None:
    shown = page(made.experiment(Status.CONCLUDED, decision=made.DECIDED), made.glance(missing=Missing.AWAY))
    assert shown.decision.title == "Decided: ship short-form"
    assert shown.decision.people.startswith("by mira (token 3)")
    assert shown.decision.warning == ""


def test_old_numbers_stay_while_clickhouse_is_away_with_their_age() -> None:
    shown = page(made.experiment(), made.glance(ANSWERS["ship"], 400, Missing.AWAY))
    assert shown.asof is not None
    assert shown.asof.is_late
    assert shown.notices[0].headline == "Results are 7 minutes old"
    assert shown.decision.title == "Ship short-form"


def test_a_decision_against_the_data_is_told_beside_it() -> None:
    decided = made.experiment(Status.CONCLUDED, decision=made.DECIDED)
    assert page(decided, GLANCES["ship"]).decision.warning == ""
    assert page(decided, GLANCES["roll_back"]).decision.warning == "The decision is not what the data said."


def test_numbers_that_are_not_to_be_used_are_behind_a_click() -> None:
    shown = page(made.experiment(), GLANCES["invalid"])
    assert shown.metrics is not None
    assert shown.metrics.withheld
    assert shown.notices[0].is_failure
    assert "9.84" not in render("experiment.html", FRAME, page=shown)
    anyway = page(made.experiment(), GLANCES["invalid"], anyway=True)
    assert "9.84" in render("experiment.html", FRAME, page=anyway)


def test_names_that_people_wrote_are_isolated_and_run_nothing() -> None:
    ugly = made.experiment(
        name=UGLY,
        hypothesis=UGLY,
        owner=UGLY,
        tags=["<b>&tag</b>"],
        targeting="attributes.a == '<i>\u202e'",
        variants=[made.variant("control", name=UGLY), made.variant("short-form", payload={"<u>": UGLY})],
        decision=made.DECIDED.model_copy(update={"reason": UGLY, "decided_by": f"token:1:{UGLY}"}),
        status=Status.CONCLUDED,
    )
    versions = [
        made.version(
            2, reason=UGLY, created_by=f"token:1:{UGLY}", difference={UGLY: {"before": UGLY, "after": UGLY}}
        )
    ]
    shown = experiment_page(ugly, GLANCES["ship"], versions, NOW, may_edit=True)
    text = render("experiment.html", FRAME, page=shown)
    found = parsed(text)
    check_policy(found)
    assert not found.named("b", "i", "u")
    (heading,) = found.named("h1")
    assert "very-long-name" in heading.text
    for element in found.elements:
        if "very-long-name" in element.text and not any(
            "very-long-name" in child.text for child in _within(found, element)
        ):
            isolated = "bdi" in (*element.within, element.name)
            assert isolated or element.name in ("pre", "title", "option"), element
    assert "\u202e" not in text.replace(ugly.targeting or "", "").partition('id="configuration"')[0]


def _within(found: Page, outer: Any) -> list[Any]:
    place = found.elements.index(outer)
    depth = len(outer.within)
    inner = []
    for element in found.elements[place + 1 :]:
        if len(element.within) <= depth:
            break
        inner.append(element)
    return inner


@pytest.mark.parametrize(("status", "step"), list(itertools.product(Status, Step)))
def test_a_step_is_offered_and_asked_for_where_it_is_legal(status: Status, step: Step) -> None:
    experiment = made.experiment(status)
    offered = {offer.step: offer for offer in offers_of(experiment, NOW, may_edit=True)}
    legal = (
        step in legal_steps(status) and step is not Step.SCHEDULE
    )  # a draft without a time can't be scheduled
    assert (step in offered) == legal
    asked = asked_of(experiment, step, NOW)
    assert (asked is not None) == (legal and offered[step].asks)
    assert offers_of(experiment, NOW, may_edit=False) == ()


def test_a_draft_with_a_time_to_come_can_be_scheduled() -> None:
    draft = made.experiment(Status.DRAFT, scheduled_start_at="2026-03-13T00:00:00Z")
    assert [offer.step for offer in offers_of(draft, NOW, may_edit=True)] == ["schedule", "start"]
    past = made.experiment(Status.DRAFT, scheduled_start_at="2026-03-11T00:00:00Z")
    assert [offer.step for offer in offers_of(past, NOW, may_edit=True)] == ["start"]


def test_a_viewer_has_no_form_however_it_is_asked_for() -> None:
    shown = page(made.experiment(), GLANCES["ship"], may_edit=False, do=Step.CONCLUDE)
    assert shown.asked is None
    forms = html(shown).named("form")
    assert [form.attributes["action"] for form in forms] == ["/logout"]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (Given(), {"outcome", "reason"}),
        (Given("ship", "", "x"), {"variant_key"}),
        (Given("ship", "b", ""), {"reason"}),
        (Given("roll_back", "", ""), {"reason"}),
        (Given("inconclusive"), {"reason"}),
    ],
)
def test_a_decision_that_lacks_something_names_each_field_and_keeps_what_was_typed(
    given: Given, missing: set[str]
) -> None:
    with pytest.raises(Problem) as refused:
        decided_by(given)
    errors = errors_of(refused.value)
    assert set(errors) == missing
    shown = page(made.experiment(), GLANCES["ship"], do=Step.CONCLUDE, given=given, errors=errors)
    found = html(shown)
    check_form(found)
    told = [element.text for element in found.elements if element.attributes.get("class") == "error"]
    assert [text.removeprefix("✗ ") for text in told] == [
        errors[name] for name in ("outcome", "variant_key", "reason") if name in errors
    ]
    checked = [field.attributes["value"] for field in found.named("input") if "checked" in field.attributes]
    assert checked == ([given.outcome] if given.outcome else [])


def test_a_whole_decision_names_an_arm_where_it_ships_and_only_there() -> None:
    assert decided_by(Given("ship", "b", "why")) == {"outcome": "ship", "variant_key": "b", "reason": "why"}
    assert decided_by(Given("roll_back", "b", "why")) == {
        "outcome": "roll_back",
        "variant_key": None,
        "reason": "why",
    }
    assert decided_by(Given("later", "b", "")) is None


def test_two_who_edit_see_both_versions_and_what_differs() -> None:
    experiment = made.experiment(version=4)
    versions = [
        made.version(
            4, "pause", difference={"status": {"before": "running", "after": "paused"}}, reason="It fails"
        ),
        made.version(3, difference={"allocation": {"before": 2000, "after": 5000}}),
        made.version(2, "start", difference={"status": {"before": "draft", "after": "running"}}),
    ]
    conflict = conflict_of(experiment, versions, Step.CONCLUDE, 2, Given("ship", "b", "kept <text>"))
    assert [(field.name, field.before, field.after) for field in conflict.changed] == [
        ("allocation", "2000", "5000"),
        ("status", "running", "paused"),
    ]
    shown = experiment_page(
        experiment, GLANCES["ship"], versions, NOW, may_edit=True, ways=Ways(conflict=conflict)
    )
    found = html(shown)
    check_form(found)
    kept = {field.attributes["name"]: field.attributes["value"] for field in found.named("input")}
    assert kept["reason"] == "kept <text>"
    assert kept["version"] == "4"
    assert "“It fails”" in next(section.text for section in found.named("section"))


def test_many_secondary_metrics_are_folded_with_a_count_of_what_is_decided() -> None:
    names = [f"metric_{number}" for number in range(39)]
    experiment = made.experiment(
        metrics=[made.metric("conversion"), *(made.metric(name, "secondary") for name in names)]
    )
    items = (
        made.item(),
        *(
            made.item(name, role="secondary", verdict="better" if name.endswith("7") else "undecided")
            for name in names
        ),
    )
    shown = page(experiment, made.glance(made.answer(items=items)))
    assert shown.metrics is not None
    (arm,) = shown.metrics.arms
    assert [row.metric for row in arm.rows] == ["conversion"]
    assert (len(arm.folded), arm.decided) == (39, 4)
    check_policy(html(shown))


def test_seven_arms_stand_best_first_and_one_without_data_last() -> None:
    arms = ["a", "b", "c", "d", "e", "empty"]
    experiment = made.experiment(variants=[made.variant("control"), *(made.variant(arm) for arm in arms)])
    lifts = {"a": 0.01, "b": 0.05, "c": -0.2, "d": 0.0, "e": 0.03}
    items = tuple(made.item(arm=arm, relative_lift=lift) for arm, lift in lifts.items())
    shown = page(experiment, made.glance(made.answer(items=items)))
    assert shown.metrics is not None
    assert [arm.arm for arm in shown.metrics.arms] == ["b", "e", "a", "d", "c", "empty"]
    assert [row.verdict for row in shown.metrics.arms[-1].rows] == ["no test"]
    check_policy(html(shown))


def test_units_are_told_where_they_were_counted_and_not_as_0() -> None:
    told = {
        name: [fact for fact in page(made.experiment(), GLANCES[name]).facts if fact.endswith(" units")]
        for name in ("ship", "no_data", "not_built", "on_its_way", "not_ingested")
    }
    assert told == {
        "ship": ["83,569 units"],
        "no_data": ["0 units"],
        "not_built": [],
        "on_its_way": [],
        "not_ingested": [],
    }


def test_a_release_that_grows_says_its_next_step_and_when() -> None:
    steps = [{"share": 1_000, "hold": "P1D"}, {"share": 10_000, "hold": "P1D"}]
    release = {"variant_key": "short-form", "share": 1_000, "population": "targeted"}
    grows = release | {"ramp": {"steps": steps, "step_since": "2026-03-01T09:30:00Z"}}
    shown = {
        name: dict(configuration_of(made.experiment(Status.CONCLUDED, release=given)).facts)["released"]
        for name, given in (("stays", release), ("grows", grows))
    }
    assert shown == {
        "stays": "short-form to 10.00 % of those targeted",
        "grows": "short-form to 10.00 % of those targeted; 100.00 % from 2026-03-02 09:30Z on",
    }
