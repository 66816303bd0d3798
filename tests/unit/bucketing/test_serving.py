"""What a key gives in each status, to each kind of unit: the whole table."""

from __future__ import annotations

import msgspec
import pytest

from neonblue.bucketing import (
    Configuration,
    Evaluation,
    Holdout,
    Population,
    Purpose,
    Reason,
    Release,
    ServedBy,
    Serving,
    Unit,
    bucket,
    compile_expression,
    serve,
    serving_of,
)
from neonblue.bucketing.document import ExperimentEntry, HoldoutEntry, ServedEntry, VariantEntry
from neonblue.contract.life_cycle import Status

HOLDOUT = Holdout("h", 5_000)
SALT = "s"


def _unit(*, held_out: bool) -> str:
    return next(
        name
        for name in map(str, range(1_000))
        if (bucket(HOLDOUT.salt, Purpose.HOLDOUT, name) < HOLDOUT.bound) == held_out
    )


INSIDE, HELD_OUT, TESTER = _unit(held_out=False), _unit(held_out=True), "tester"
CONFIGURATION = Configuration(
    SALT,
    10_000,
    (("a", 1), ("b", 1)),
    holdouts=(HOLDOUT,),
    targeting=compile_expression('attributes.plan == "pro"'),
    forced={bucket(SALT, Purpose.FORCED, TESTER): "b"},
)
UNITS = {
    "meant": Unit(INSIDE, {"plan": "pro"}),
    "held out": Unit(HELD_OUT, {"plan": "pro"}),
    "not targeted": Unit(INSIDE, {"plan": "free"}),
    "without attributes": Unit(INSIDE),
    "tester": Unit(TESTER),
}
SHIPPED = Release("b")
CONTROL, RELEASE = ServedBy.CONTROL, ServedBy.RELEASE
FORCED = Evaluation("b", Reason.FORCED)
UNSHIPPED = {
    Status.DRAFT: Reason.DRAFT,
    Status.SCHEDULED: Reason.NOT_STARTED,
    Status.PAUSED: Reason.PAUSED,
    Status.CONCLUDED: Reason.CONCLUDED,
}


def told(status: str, release: Release | None, unit: str) -> tuple[str | None, Reason, ServedBy]:
    found = serve(CONFIGURATION, serving_of(status, "a", release), UNITS[unit])
    return found.variant_key, found.reason, found.served_by


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("status", UNSHIPPED)
def test_where_nothing_was_decided_everybody_but_testers_gets_the_control(status: Status, unit: str) -> None:
    expected = (
        ("b", Reason.FORCED, ServedBy.EXPERIMENT) if unit == "tester" else ("a", UNSHIPPED[status], CONTROL)
    )
    assert told(status, None, unit) == expected


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("meant", ("b", Reason.RELEASED, RELEASE)),
        ("held out", ("a", Reason.HOLDOUT, CONTROL)),
        ("not targeted", ("a", Reason.NOT_TARGETED, CONTROL)),
        ("without attributes", ("a", Reason.NOT_TARGETED, CONTROL)),
        ("tester", ("b", Reason.FORCED, ServedBy.EXPERIMENT)),
    ],
)
def test_what_was_shipped_goes_to_all_whom_targeting_means(
    unit: str, expected: tuple[str, Reason, ServedBy]
) -> None:
    assert told(Status.CONCLUDED, SHIPPED, unit) == expected


@pytest.mark.parametrize("unit", UNITS)
def test_an_archived_key_gives_nothing(unit: str) -> None:
    assert told(Status.ARCHIVED, SHIPPED, unit) == (None, Reason.ARCHIVED, CONTROL)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.CONCLUDED])
def test_a_decision_of_an_experiment_that_goes_on_ships_nothing(status: Status) -> None:
    assert (serving_of(status, "a", SHIPPED) or Serving(Reason.ASSIGNED, "a")).release is None


def test_each_status_but_running_is_served() -> None:
    assert [status for status in Status if serving_of(status, "a", None) is None] == [Status.RUNNING]


def test_targeting_without_an_answer_is_told() -> None:
    serving = Serving(Reason.CONCLUDED, "a", SHIPPED)
    assert serve(CONFIGURATION, serving, UNITS["without attributes"]).error


ENTRY = ExperimentEntry(
    experiment_id=1,
    key="k",
    unit_type="user",
    version=4,
    salt=SALT,
    allocation=10_000,
    variants=[
        VariantEntry(key="a", weight=1, payload={"value": 1}),
        VariantEntry(key="b", weight=1, payload={"value": 2}),
        VariantEntry(key="secret", weight=1, active=False, payload={"value": 3}),
    ],
    holdouts=[HoldoutEntry(salt=HOLDOUT.salt, share=HOLDOUT.share)],
    targeting='attributes.plan == "pro"',
    forced={str(bucket(SALT, Purpose.FORCED, TESTER)): "b"},
)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("status", "release"),
    [
        ("paused", None),
        ("concluded", None),
        ("concluded", SHIPPED),
        ("concluded", Release("b", 3_000)),
        ("concluded", Release("b", 7_000, Population.EVERYONE)),
    ],
)
def test_who_evaluates_for_himself_gets_the_same(status: str, release: Release | None, unit: str) -> None:
    serving = serving_of(status, "a", release)
    assert serving is not None
    travelled = ServedEntry.of(ENTRY, serving)
    assert travelled is not None
    there = msgspec.json.decode(msgspec.json.encode(travelled), type=ServedEntry)

    assert serve(there.configuration(), there.serving(), UNITS[unit]) == serve(
        ENTRY.configuration(), serving, UNITS[unit]
    )


def test_payloads_travel_of_those_variants_alone_that_somebody_gets() -> None:
    unforced = msgspec.structs.replace(ENTRY, forced={})
    paused = ServedEntry.of(unforced, Serving(Reason.PAUSED, "a"))
    shipped = ServedEntry.of(unforced, Serving(Reason.CONCLUDED, "a", SHIPPED))
    assert paused is not None
    assert shipped is not None
    assert (paused.payloads.keys(), paused.targeting, paused.holdouts) == ({"a"}, None, [])
    assert shipped.payloads.keys() == {"a", "b"}
    assert ServedEntry.of(ENTRY, Serving(Reason.ARCHIVED, None)) is None
