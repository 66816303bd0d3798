"""The doctor: what the checks of an experiment's health come to, by what they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from api.checklist.doctor import (
    FURTHER,
    code_of,
    health_items,
    ratios_of,
    repeats_item,
    stored_item,
)
from api.checklist.recomputed import Kind, Recomputed
from api.experiments.readiness import Grade
from neonblue.analysis import ExperimentRows
from neonblue.analysis.answer import CheckItem, check_item
from neonblue.results.checks import clock_check, correction_check, exposure_check, late_correction_check
from neonblue.results.parts import StageItem
from neonblue.results.traffic import Repeated
from neonblue.statistics import multiply_exposed, sample_ratio
from neonblue.statistics.experiment.health import sample_ratio_check
from tests.unit.analysis.lives import configuration
from tests.unit.results.test_checks import row

SUBJECTS = ["sample_ratio", "exposures", "several_arms", "clocks"]
STARTED = datetime.fromisoformat("2026-03-01T09:00:00+00:00")
EXPOSURE = exposure_check(
    configuration(started_at=STARTED.isoformat()),
    ExperimentRows(exposed=0),
    1_000,
    STARTED + timedelta(hours=1),
)
EARLY = clock_check(configuration(), ExperimentRows([row("control", 100, 5), row("t", 100, 5)]))
AFAR = correction_check(1_000, 40, 11, 0)
assert EXPOSURE
assert EARLY
assert AFAR
BROKEN_RATIO = check_item(sample_ratio_check(sample_ratio((6_000, 4_000), (1, 1)), "version 1"))
GOOD_RATIO = check_item(sample_ratio_check(sample_ratio((5_000, 5_010), (1, 1)), "version 1"))


@pytest.mark.parametrize(
    ("check", "code", "grade"),
    [
        (GOOD_RATIO, "sample_ratio", Grade.OK),
        (BROKEN_RATIO, "sample_ratio", Grade.BLOCKING),
        (check_item(EXPOSURE), "exposures", Grade.WARNING),
        (check_item(multiply_exposed(0, 1_000)), "several_arms", Grade.OK),
        (check_item(multiply_exposed(11, 1_000)), "several_arms", Grade.BLOCKING),
        (check_item(EARLY), "clocks", Grade.WARNING),
        (check_item(AFAR), "clocks", Grade.WARNING),
        (check_item(late_correction_check(3.0)), "clocks", Grade.OK),
    ],
)
def test_each_check_of_the_health_has_its_item_and_grade(check: CheckItem, code: str, grade: Grade) -> None:
    assert code_of(check.name) == code

    items = {item.code: item for item in health_items([check], [])}

    assert list(items) == SUBJECTS
    assert items[code].status is grade
    assert items[code].headline == check.message
    assert items[code].evidence["checks"][0]["name"] == check.name
    assert all(item.status is Grade.OK for name, item in items.items() if name != code)
    assert all((item.next_step is None) == (item.status is Grade.OK) for item in items.values())


def test_the_worst_check_of_a_subject_is_told_first_and_the_others_beside_it() -> None:
    items = {item.code: item for item in health_items([check_item(AFAR), check_item(EARLY)], [])}

    assert items["clocks"].headline == AFAR.message
    assert items["clocks"].cause == EARLY.message
    assert len(items["clocks"].evidence["checks"]) == 2


def test_a_check_of_no_subject_is_told_too() -> None:
    balance = CheckItem("covariate_balance", False, False, 0.0001, 0.001, "revenue differs")

    items = {item.code: item for item in health_items([balance], [])}

    assert (items[FURTHER].status, items[FURTHER].headline) == (Grade.WARNING, "revenue differs")


@pytest.mark.parametrize("why", ["", "The numbers have not been computed."])
def test_without_an_answer_nothing_is_claimed(why: str) -> None:
    items = list(health_items(None, [], why))

    assert [item.code for item in items] == SUBJECTS
    for item in items:
        assert (item.status, item.evidence) == (Grade.WARNING, {"known": False})
        assert item.cause == (why or "ClickHouse did not answer within 2 seconds")


def stages(assigned: tuple[int, int], exposed: tuple[int, int], analysed: tuple[int, int]) -> list[StageItem]:
    return [
        StageItem(1, arm, assigned[place], exposed[place], 0, analysed[place])
        for place, arm in enumerate(("control", "t"))
    ]


def test_the_stage_where_the_ratio_breaks_is_named_with_its_numbers() -> None:
    found = stages((5_000, 5_010), (4_900, 4_950), (4_900, 4_000))
    ratios = ratios_of({1: configuration()}, found)

    item = next(iter(health_items([BROKEN_RATIO], ratios)))

    assert item.status is Grade.BLOCKING
    assert "breaks at the stage analysed" in (item.cause or "")
    assert [stage["stage"] for stage in item.evidence["stages"]] == ["assigned", "ingested", "analysed"]
    assert item.evidence["stages"][2]["units"] == {"control": 4_900, "t": 4_000}
    assert item.evidence["stages"][2]["lost"]["t"] == pytest.approx(1 - 4_000 / 4_950)


def test_a_ratio_that_breaks_before_the_analysis_is_a_warning_of_its_own() -> None:
    ratios = ratios_of({1: configuration()}, stages((6_000, 4_000), (4_900, 4_950), (4_900, 4_950)))

    item = next(iter(health_items([GOOD_RATIO], ratios)))

    assert item.status is Grade.WARNING
    assert "breaks at the stage assigned" in item.headline


def test_where_the_assigned_are_analysed_no_exposure_is_a_stage() -> None:
    assigned = {1: configuration()}
    assigned[1] = type(assigned[1])(
        **{name: getattr(assigned[1], name) for name in assigned[1].__struct_fields__}
        | {"population": "assigned"}
    )

    ratios = ratios_of(assigned, stages((5_000, 5_010), (1, 0), (5_000, 5_010)))

    assert [str(ratio.stage) for ratio in ratios] == ["assigned", "analysed"]
    assert ratios_of({}, stages((1, 1), (1, 1), (1, 1))) == []


NOTHING = Recomputed(0, True)
SOME = Recomputed(1_000, False)


@pytest.mark.parametrize(
    ("found", "grade"),
    [
        (NOTHING, Grade.OK),
        (SOME, Grade.OK),
        *(
            (replace(SOME, differing={kind: 3}), Grade.WARNING if kind is Kind.UNEXPLAINED else Grade.OK)
            for kind in Kind
        ),
    ],
)
def test_stored_variants_that_nothing_explains_are_a_warning(found: Recomputed, grade: Grade) -> None:
    item = stored_item(found)

    assert item.status is grade
    assert item.evidence["units"] == found.units
    assert item.evidence["differing"] == {str(kind): count for kind, count in found.differing.items()}


@pytest.mark.parametrize(
    ("found", "grade"),
    [
        (None, Grade.WARNING),
        (Repeated(0, 0), Grade.OK),
        (Repeated(1_000, 0), Grade.OK),
        (Repeated(1_000, 10), Grade.OK),
        (Repeated(1_000, 11), Grade.WARNING),
    ],
)
def test_events_under_new_ids_are_told_from_one_in_a_hundred_on(found: Repeated | None, grade: Grade) -> None:
    assert repeats_item(found).status is grade
