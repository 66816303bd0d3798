"""What makes a start worthless or harmful for certain, and what is only to be looked at."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.experiments.readiness import (
    ENOUGH_UNITS,
    ChecklistItem,
    Entry,
    Grade,
    Matches,
    blocking,
    entry_item,
    fitness_items,
    payloads_item,
    targeting_item,
)
from api.experiments.schemas import StartIn
from api.experiments.seen import SAMPLE, attributes_read, match
from neonblue.bucketing import compile_expression
from neonblue.contract.life_cycle import Status
from tests.unit.api.experiments.test_changes import ARMS, experiment

COUNTRY = "attributes.country == 'DE'"


@pytest.mark.parametrize(
    ("matches", "grade"),
    [
        (None, Grade.WARNING),
        (Matches(0, 0), Grade.WARNING),
        (Matches(ENOUGH_UNITS, 0), Grade.BLOCKING),
        (Matches(ENOUGH_UNITS - 1, 0), Grade.WARNING),
        (Matches(ENOUGH_UNITS, 1), Grade.OK),
        # Those whose attributes it could not read are no sign that it means nobody.
        (Matches(ENOUGH_UNITS, 0, unanswered=1), Grade.WARNING),
        (Matches(2 * ENOUGH_UNITS, 0, unanswered=ENOUGH_UNITS), Grade.BLOCKING),
        (Matches(100, 50, unanswered=50), Grade.OK),
        (Matches(100, 49, unanswered=51, why="no such key"), Grade.WARNING),
    ],
)
def test_targeting_blocks_only_where_many_units_have_what_it_reads_and_none_is_meant(
    matches: Matches | None, grade: Grade
) -> None:
    item = targeting_item(COUNTRY, matches)

    assert item.status is grade
    assert (item.cause is None) == (grade is Grade.OK)
    if matches is not None and matches.units:
        assert item.evidence == {
            "units": matches.units,
            "meant": matches.meant,
            "unanswered": matches.unanswered,
        }


@pytest.mark.parametrize(
    "expression",
    [
        "attributes.version >= '1.10.0'",
        "attributes.age > 30 && attributes.age < 20",
        "attributes.name.matches('(((')",
    ],
)
def test_targeting_that_could_not_be_stored_any_more_blocks_whoever_it_means(expression: str) -> None:
    assert targeting_item(expression, Matches(10, 10)).status is Grade.BLOCKING


def test_without_targeting_everybody_is_meant() -> None:
    assert targeting_item(None, None).status is Grade.OK


@pytest.mark.parametrize(
    ("entry", "grade", "share"),
    [
        (Entry(), Grade.OK, 1.0),
        (Entry(100), Grade.OK, 0.01),
        (Entry(99), Grade.WARNING, 0.0099),
        (Entry(0), Grade.WARNING, 0.0),
        (Entry(5_000, 5_000, {"a": 1_000, "b": 5_000}), Grade.OK, 0.25 * 0.9 * 0.5),
        (Entry(holdouts={"all": 9_999}), Grade.OK, 0.0001),
        (Entry(holdouts={"all": 10_000}), Grade.BLOCKING, 0.0),
        (Entry(0, holdouts={"all": 10_000}), Grade.BLOCKING, 0.0),
    ],
)
def test_only_a_holdout_of_everybody_keeps_an_experiment_from_starting(
    entry: Entry, grade: Grade, share: float
) -> None:
    item = entry_item(entry)

    assert item.status is grade
    assert item.evidence["share"] == pytest.approx(share)


@pytest.mark.parametrize(
    ("payloads", "grade"),
    [
        ((None, None, None), Grade.OK),
        (({"value": 1}, {"value": 2}, {"value": 3}), Grade.OK),
        (({"a": 1}, {"a": 2}, None), Grade.WARNING),
        (({"a": 1}, {"a": "2"}, {"a": 3}), Grade.WARNING),
        (({"a": 1}, {"b": 1}, {"a": 3}), Grade.WARNING),
        (({"value": 1}, {"value": "1"}, {"value": 1}), Grade.BLOCKING),
    ],
)
def test_payloads_of_several_types_block_and_those_of_several_shapes_are_told(
    payloads: tuple[Any, ...], grade: Grade
) -> None:
    arms = [arm | {"payload": payload} for arm, payload in zip(ARMS, payloads, strict=True)]

    assert payloads_item(experiment(Status.DRAFT, variants=arms)).status is grade


def test_of_an_import_nothing_can_block() -> None:
    imported = experiment(Status.DRAFT, source="external", variants=ARMS)

    assert list(fitness_items(imported, Entry(holdouts={"all": 10_000}), None)) == []


def test_what_blocks_is_all_that_does() -> None:
    mixed = [arm | {"payload": {"value": value}} for arm, value in zip(ARMS, (1, "1", 1), strict=True)]
    made = experiment(Status.DRAFT, variants=mixed, targeting=COUNTRY)

    items = fitness_items(made, Entry(holdouts={"all": 10_000}), Matches(ENOUGH_UNITS, 0))

    assert [item.code for item in blocking(items)] == ["targeting", "entry", "payloads"]


def test_an_experiment_without_events_payloads_or_units_may_start() -> None:
    made = experiment(Status.DRAFT, variants=[arm | {"payload": None} for arm in ARMS], targeting=COUNTRY)

    assert blocking(fitness_items(made, Entry(), None)) == []


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("attributes.country == 'DE' && semver(attributes.app) > '1.0.0'", {"country", "app"}),
        ("'beta' in attributes", {"beta"}),
        ("attributes['plan'] in ['pro', 'team']", {"plan"}),
        ("has(attributes.shop.name) && attributes.tags.exists(tag, tag == 'new')", {"shop", "tags"}),
        ("attributes[attributes.name] == 1", {"name"}),
        ("true", set()),
    ],
)
def test_what_an_expression_reads_is_known_by_name(expression: str, names: set[str]) -> None:
    assert attributes_read(compile_expression(expression).tree().root) == names


def test_units_that_lack_what_the_expression_reads_are_told_apart() -> None:
    sample = [{"country": "DE"}, {"country": "FR"}, {"plan": "pro"}, {"country": 7}]

    found = asyncio.run(match(compile_expression(COUNTRY), sample))
    asked = asyncio.run(match(compile_expression("has(attributes.beta) && attributes.beta"), sample))

    assert (found.units, found.meant, found.decided) == (4, 1, 3)
    assert found.why
    assert (asked.units, asked.meant, asked.decided) == (4, 0, 0)


@given(st.lists(st.dictionaries(st.sampled_from(["country", "plan"]), st.text(max_size=2)), max_size=30))
def test_every_unit_of_the_sample_is_counted_once(sample: list[dict[str, str]]) -> None:
    found = asyncio.run(match(compile_expression(COUNTRY), sample))

    assert found.units == len(sample) <= SAMPLE
    assert found.meant == sum(unit.get("country") == "DE" for unit in sample)
    assert found.unanswered == sum("country" not in unit for unit in sample)


def test_a_start_is_forced_with_a_reason_or_not_at_all() -> None:
    assert StartIn().force is False
    assert StartIn(force=True, reason="they come tomorrow").force
    for reason in (None, " "):
        with pytest.raises(ValidationError, match="say why"):
            StartIn(force=True, reason=reason)


def test_an_item_says_no_more_than_it_knows() -> None:
    assert ChecklistItem(code="a", status=Grade.OK, headline="b").evidence == {}


def test_where_enrolment_is_closed_nobody_enters() -> None:
    found = entry_item(Entry(is_open=False))

    assert (found.status, found.headline) == (Grade.WARNING, "No unit can enter")
    assert found.next_step is not None
