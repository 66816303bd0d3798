"""The catalogue's pages over every type of metric and role: words for all of it, forms that lose nothing."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.http.problems import Problem
from api.metric_catalogue.definitions import MetricDefinition, stored
from api.metric_catalogue.schemas import (
    METRIC_SHOWN,
    CatalogueMetricIn,
    CatalogueMetricOut,
    MetricOut,
    MetricPage,
    MetricPatch,
    MetricVersionOut,
    MetricVersions,
    NewMetricVersion,
)
from api.metric_catalogue.service import MetricCatalogue, UsingExperiment, UsingExperiments
from api.web.catalogue import page as pages
from api.web.catalogue.form import (
    CHOICES,
    FIELDS,
    NEW,
    definition_of,
    described_by,
    description_form,
    version_form,
    written,
)
from api.web.catalogue.words import sentences_of
from api.web.shared.forms import Filled
from api.web.shared.frame import Frame, Visitor, render
from neonblue.contract.metric_types import METRIC_TYPES
from tests.unit.api.web import test_forms
from tests.unit.api.web.html import Page, parsed
from tests.unit.api.web.made import NOW, UGLY
from tests.unit.api.web.test_experiment_page import check_form, check_policy
from tests.unit.api.web.test_forms import Site

site = test_forms.site
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
filters = st.none() | st.dictionaries(texts, texts, min_size=1, max_size=2)
seconds = st.sampled_from([1, 59, 60, 3_600, 86_400, 604_800, 1_209_600, 90])


@st.composite
def definitions(draw: st.DrawFn) -> MetricDefinition:
    """Every definition that the API takes."""
    name = draw(st.sampled_from(sorted(METRIC_TYPES)))
    kind = METRIC_TYPES[name]
    role = draw(st.sampled_from(["primary", "secondary", "guardrail"]))
    start = draw(seconds) if kind.later or draw(st.booleans()) else 0
    given: dict[str, Any] = {
        "type": name,
        "event_type": draw(texts),
        "aggregation": draw(st.sampled_from(kind.aggregations)),
        "property_filter": draw(filters),
        "window_start_seconds": start,
        "window_seconds": start + draw(seconds) if kind.later or draw(st.booleans()) else None,
        "direction": draw(st.sampled_from(["increase", "decrease"])),
        "role": role,
        "minimum_effect": draw(st.sampled_from([None, "0.02", "1"])),
        "cuped": draw(st.sampled_from([None, False])),
        "missing": draw(st.sampled_from(["zero", "exclude"])) if kind.can_exclude else "zero",
    }
    if kind.below:
        given["denominator"] = {
            "event_type": draw(texts),
            "aggregation": draw(st.sampled_from(kind.below)),
            "property_filter": draw(filters),
        }
    if kind.which_quantile:
        given["quantile"] = draw(st.sampled_from(["0.5", "0.999"]))
    if kind.capped:
        given |= draw(st.sampled_from([{}, {"cap": "500"}, {"cap_percentile": "0.99"}]))
    if role == "guardrail":
        given |= draw(st.sampled_from([{}, {"margin": "0.01"}, {"margin": "0.5", "margin_relative": False}]))
    return MetricDefinition.model_validate(given)


def shown_of(definition: MetricDefinition) -> MetricOut:
    return MetricOut.model_validate({**stored(definition.message("m", 1)), "key": "m", "version": 1})


def metric(key: str = "revenue_14d", **fields: Any) -> CatalogueMetricOut:
    given: dict[str, Any] = {
        **METRIC_SHOWN,
        "name": "Revenue per user",
        "description": None,
        "owner": "growth",
        "tags": ["money"],
        "watched": False,
        "in_use": True,
        "revision": 4,
        "version": 2,
        "created_at": NOW,
    }
    return CatalogueMetricOut.model_validate({**given, "key": key, **fields})


def version(number: int, **fields: Any) -> MetricVersionOut:
    by = {"created_at": NOW, "created_by": "token:1:mira", "reason": None}
    return MetricVersionOut.model_validate({**METRIC_SHOWN, "version": number, **by, **fields})


def used_by(key: str = "checkout", **fields: Any) -> UsingExperiment:
    given = {"name": "A shorter checkout", "status": "running", "version": 2, "role": "primary"}
    return UsingExperiment(key=key, **{**given, "is_measured": True, **fields})


def shown(template: str, page: Any, role: str = "editor") -> Page:
    frame = Frame("", "x", Visitor("mira", role, "the-csrf-token"), place="catalogue")
    found = parsed(render(template, frame, page=page))
    check_policy(found)
    check_form(found)
    return found


def text_of(found: Page) -> str:
    return " ".join(element.text for element in found.named("main"))


def forms(found: Page) -> list[str]:
    posting = [form for form in found.named("form") if form.attributes.get("method") == "post"]
    return [form.attributes["action"] for form in posting if "main" in form.within]


def page_of(
    one: CatalogueMetricOut, act: pages.Act | None = None, filled: Filled | None = None, **fields: Any
) -> pages.MetricPage:
    users = fields.pop("users", ((used_by(),), None, None))
    form = (act, filled or Filled())
    return pages.metric_page(one, [version(2, cap="800"), version(1)], users, 1, form, **fields)


@given(definitions())
def test_a_form_opens_with_what_is_meant_and_sends_just_that(definition: MetricDefinition) -> None:
    opened = version_form(shown_of(definition))
    assert opened.given.keys() <= FIELDS
    for name, options in CHOICES.items():
        assert opened.text(name) in {value for value, _ in options}, name
    sent = MetricDefinition.model_validate(definition_of(opened.given))
    spaced = definition.event_type != definition.event_type.strip()
    below = definition.denominator
    if not spaced and (below is None or below.event_type == below.event_type.strip()):
        assert stored(sent.message("m", 1)) == stored(definition.message("m", 1))


@given(definitions())
def test_every_definition_has_words(definition: MetricDefinition) -> None:
    told = sentences_of(shown_of(definition))
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in told)
    written = [definition.event_type, *(definition.property_filter or {}).items()]
    if "None" not in str(written) and "None" not in str(
        definition.denominator and definition.denominator.model_dump(exclude_none=True)
    ):
        assert "None" not in " ".join(told)
    assert ("Less is better." in told) == (definition.direction == "decrease")
    below = definition.denominator
    filters = [definition.property_filter, None if below is None else below.property_filter]
    named = re.findall(r" whose ", told[0].replace(definition.event_type, ""))
    assert len(named) == sum(map(bool, filters))


def test_durations_are_written_in_the_largest_unit_that_is_whole() -> None:
    assert (written(1_209_600), written(5_400), written(1)) == ("14 d", "90 min", "1 s")


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_forms_are_for_those_who_may_send_them(role: str) -> None:
    wanted = pages.Wanted()
    listed = shown("catalogue.html", pages.list_page([metric()], {}, wanted, (None, None)), role)
    one = shown("metric.html", page_of(metric()), role)
    empty = shown("catalogue.html", pages.list_page([], {}, wanted, (None, None)), role)
    for found in (listed, one, empty):
        assert bool([link for link in found.named("a") if link.text.endswith("…")]) == (role != "viewer")
        assert forms(found) == []


def test_the_list_says_how_many_experiments_use_each_and_keeps_its_filters() -> None:
    wanted = pages.Wanted("rev & co", "mean", "money", "growth")
    page = pages.list_page([metric("a"), metric("b", name=None)], {"a": 1_234}, wanted, (None, "next"))
    assert [row.used for row in page.rows] == [1_234, 0]
    assert page.next_href == "?text=rev+%26+co&type=mean&tag=money&owner=growth&cursor=next"
    found = shown("catalogue.html", page)
    assert "1,234" in text_of(found)
    chosen = [option for option in found.named("option") if "selected" in option.attributes]
    assert [option.text for option in chosen] == ["mean"]


def test_empty_states_and_ugly_metrics_are_whole() -> None:
    for wanted, cursor, told in (
        (pages.Wanted(), None, "No metric yet"),
        (pages.Wanted("x"), None, "No metric is like that"),
        (pages.Wanted(), "c", "No more metrics"),
    ):
        assert told in text_of(shown("catalogue.html", pages.list_page([], {}, wanted, (cursor, None))))
    ugly = metric(
        "k" * 256,
        name=UGLY,
        description=UGLY,
        owner=UGLY,
        tags=[UGLY],
        event_type=UGLY,
        property_filter={UGLY: UGLY},
    )
    users = ([used_by("e" * 256, name=UGLY), used_by(name=None, role=None, is_measured=False)], "c", "d")
    for found in (
        shown("catalogue.html", pages.list_page([ugly] * 50, {}, pages.Wanted(UGLY), (None, None))),
        shown("metric.html", page_of(ugly, users=users)),
    ):
        assert "\u202e" not in text_of(found)
        assert "<script>" in text_of(found)
    assert "None yet" in text_of(shown("metric.html", page_of(metric(), users=((), None, None))))
    assert [user.how for user in page_of(ugly, users=users).users] == ["primary", "watched by it"]
    before = used_by(role=None, is_measured=False, is_active=False)
    assert page_of(metric(), users=((before,), None, None)).users[0].how == "was watched by it"


def test_versions_say_what_changed_between_them() -> None:
    page = page_of(metric())
    assert [one.version for one in page.versions] == [2, 1]
    (leaf,) = page.versions[0].changed.leaves
    assert (leaf.path, leaf.before, leaf.after) == ("cap", "500", "800")
    assert page.versions[1].changed.leaves == ()


@pytest.mark.parametrize(("act", "conflict"), list(itertools.product([*pages.Act, None], [True, False])))
def test_every_open_form_is_whole_also_when_it_was_refused(act: pages.Act | None, conflict: bool) -> None:
    errors = dict.fromkeys((*FIELDS, ""), UGLY)
    for filled in (Filled(), version_form(metric()), Filled(dict.fromkeys(FIELDS, UGLY), errors)):
        found = shown("metric.html", page_of(metric(), act, filled, conflict=conflict))
        assert forms(found) == ([] if act is None else ["/catalogue/revenue_14d#act"])
        assert ("Somebody was quicker" in text_of(found)) == (conflict and act is not None)
        new = shown("new_metric.html", pages.NewPage(filled))
        assert forms(new) == ["/catalogue"]
        fields = [e for e in new.named("input", "select", "textarea") if "main" in e.within]
        named = {e.attributes["name"] for e in fields} - {"csrf"}
        assert named == FIELDS - {"reason"}
        errors_shown = {p.attributes["id"] for p in new.named("p") if p.attributes.get("class") == "error"}
        assert errors_shown == {f"{name}-error" for name in named if name in filled.errors}


def test_descriptions_come_back_as_they_were() -> None:
    one = metric(description="What it is", tags=["a", "b c"], watched=True)
    sent = MetricPatch.model_validate(described_by(description_form(one).given))
    assert (sent.name, sent.description, sent.owner, sent.tags, sent.watched) == (
        one.name, one.description, one.owner, one.tags, True,
    )  # fmt: skip
    emptied = MetricPatch.model_validate(described_by({"name": " ", "tags": " , "}))
    assert (emptied.name, emptied.tags, emptied.watched) == (None, [], False)


def test_a_new_form_makes_a_metric_once_it_has_key_and_event() -> None:
    given = definition_of({**NEW.given, "event_type": "purchase"})
    assert CatalogueMetricIn.model_validate({"key": "a", **given}).window_seconds == 1_209_600
    with pytest.raises(ValidationError):
        CatalogueMetricIn.model_validate({"key": "a", **definition_of(NEW.given)})


@dataclass
class Kept:
    """What was done."""

    done: list[tuple[Any, ...]] = field(default_factory=list)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    found = Kept()

    async def create(_: MetricCatalogue, new: CatalogueMetricIn, actor: Any) -> CatalogueMetricOut:
        if new.key == "taken":
            raise Problem(409, "metric_exists", "A metric with this key exists", field="key")
        found.done.append(("create", new.key, new.window_seconds, new.watched))
        return metric(new.key)

    async def get(_: MetricCatalogue, key: str) -> CatalogueMetricOut:
        if key == "gone":
            raise Problem(404, "not_found", "There is no such metric")
        return metric(key)

    async def page(_: MetricCatalogue, before: Any, wanted: Any, limit: int) -> MetricPage:
        found.done.append(("page", dict(wanted)))
        return MetricPage(items=[metric()], next_cursor=None)

    async def versions(*_: Any) -> MetricVersions:
        return MetricVersions(items=[version(2), version(1)])

    async def uses(*_: Any) -> dict[str, int]:
        return {"revenue_14d": 3}

    async def users(*_: Any) -> UsingExperiments:
        return UsingExperiments([used_by()], None)

    async def patch(
        _: MetricCatalogue, key: str, given: MetricPatch, tag: str, actor: Any
    ) -> CatalogueMetricOut:
        if tag != '"4"':
            raise Problem(412, "changed_meanwhile", "It was changed since you read it", field="if-match")
        found.done.append(("patch", key, sorted(given.model_fields_set), given.owner))
        return metric()

    async def add_version(
        _: MetricCatalogue, key: str, new: NewMetricVersion, actor: Any
    ) -> CatalogueMetricOut:
        if new.cap is None:
            raise Problem(409, "same_definition", "Version 2 says the same")
        found.done.append(("version", key, str(new.cap), new.reason))
        return metric()

    for name, made_up in (
        ("create", create), ("get", get), ("page", page), ("versions", versions), ("uses", uses), ("users", users),
        ("patch", patch), ("add_version", add_version),
    ):  # fmt: skip
        monkeypatch.setattr(MetricCatalogue, name, made_up)
    return found


MEANS = {"type": "mean", "aggregation": "sum", "event_type": "purchase", "window_end": "14 d", "missing": "zero"} | {
    "direction": "increase", "role": "primary", "margin_relative": "yes",
}  # fmt: skip
ONE = "/catalogue/revenue_14d"
SENT: list[tuple[str, dict[str, str], str, tuple[Any, ...]]] = [
    (
        "/catalogue",
        MEANS | {"key": "new", "watched": "yes"},
        "/catalogue/new",
        ("create", "new", 1_209_600, True),
    ),
    (
        ONE,
        MEANS | {"do": "version", "cap": "800", "reason": "more"},
        ONE,
        ("version", "revenue_14d", "800", "more"),
    ),
    (
        ONE,
        {"do": "describe", "revision": "4", "owner": "checkout"},
        ONE,
        ("patch", "revenue_14d", ["description", "name", "owner", "reason", "tags", "watched"], "checkout"),
    ),
]


@pytest.mark.parametrize(("path", "form", "leads", "done"), SENT)
def test_an_editors_form_does_it_and_leads_on_and_nobody_elses(
    site: Site, kept: Kept, path: str, form: dict[str, str], leads: str, done: tuple[Any, ...]
) -> None:
    for role, csrf in (("viewer", "csrf of viewer"), ("editor", "csrf of admin"), ("editor", "")):
        assert site.send("POST", path, role, data=form | {"csrf": csrf}).status_code == 403
    assert kept.done == []
    led = site.send("POST", path, "editor", data=form | {"csrf": "csrf of editor"})
    assert (led.status_code, led.headers["location"]) == (303, leads)
    assert kept.done == [done]


@pytest.mark.parametrize(
    ("path", "form", "status", "told"),
    [
        ("/catalogue", {"key": "taken"}, 409, 'id="key-error"'),
        ("/catalogue", {"key": "no key"}, 422, 'id="key-error"'),
        ("/catalogue", {"key": "a", "event_type": ""}, 422, 'id="event_type-error"'),
        ("/catalogue", {"key": "a", "aggregation": "any"}, 422, 'id="aggregation-error"'),
        ("/catalogue", {"key": "a", "window_end": "soon"}, 422, 'id="window_end-error"'),
        ("/catalogue", {"key": "a", "window_start": "15 d"}, 422, 'id="window_end-error"'),
        ("/catalogue", {"key": "a", "window_start": "9" * 5_000}, 422, 'id="window_start-error"'),
        ("/catalogue", {"key": "a", "property_filter": "{"}, 422, 'id="property_filter-error"'),
        ("/catalogue", {"key": "a", "property_filter": '{"a": 1}'}, 422, 'id="property_filter-error"'),
        ("/catalogue", {"key": "a", "property_filter": "[" * 4_000}, 422, 'id="property_filter-error"'),
        (
            "/catalogue",
            {"key": "a", "denominator_event_type": "x"},
            422,
            'id="denominator_aggregation-error"',
        ),
        ("/catalogue", {"key": "a", "type": "ratio"}, 422, 'id="denominator_event_type-error"'),
        ("/catalogue", {"key": "a", "type": "<b>"}, 422, 'id="type-error"'),
        ("/catalogue", {"key": "a", "margin": "0.1"}, 422, 'id="margin-error"'),
        ("/catalogue", {"key": "a", "cap": "many"}, 422, 'id="cap-error"'),
        ("/catalogue", {"key": "a", "tags": "x" * 65}, 422, 'id="tags-error"'),
        (ONE, {"do": "version"}, 409, "Version 2 says the same"),
        (ONE, {"do": "describe", "revision": "3"}, 412, "Somebody was quicker"),
        (ONE, {"do": "describe", "revision": "x"}, 422, "names no revision"),
        (ONE, {"do": "fly"}, 422, "does not say what to do"),
        ("/catalogue/gone", {"do": "describe", "revision": "3"}, 404, "There is no such metric"),
    ],
)
def test_a_refused_form_is_shown_again_with_what_was_typed(
    site: Site, kept: Kept, path: str, form: dict[str, str], status: int, told: str
) -> None:
    sent = MEANS | {"csrf": "csrf of editor", "name": "typed <b>", "quantile": ""} | form
    answer = site.send("POST", path, "editor", data=sent)
    assert answer.status_code == status
    assert told in answer.text
    if 'id="name"' in answer.text:
        assert 'value="typed &lt;b&gt;"' in answer.text
    assert kept.done == []


def test_the_filters_of_the_address_are_those_of_the_api(site: Site, kept: Kept) -> None:
    page = site.send("GET", "/catalogue", "viewer", params={"text": " rev ", "type": "", "tag": "money"})
    assert page.status_code == 200
    assert kept.done == [("page", {"text": "rev", "type": None, "tag": "money", "owner": None})]
    assert ">3</td>" in page.text


def test_a_viewer_who_types_a_forms_address_sees_none(site: Site, kept: Kept) -> None:
    for path in ("/catalogue?make=1", f"{ONE}?do=version", f"{ONE}?do=describe"):
        for role in ("viewer", "editor"):
            page = site.send("GET", path, role)
            assert page.status_code == 200
            assert len(forms(parsed(page.text))) == (role == "editor")
