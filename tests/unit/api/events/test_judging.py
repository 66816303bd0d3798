"""Which exposures give a unit its variant: every state of then against every unit, by either way."""

from __future__ import annotations

from typing import Any

import pytest

from api.events.judging import Judge, Outcome, Verdict
from api.experiments.evaluation import EvaluationRow
from api.experiments.history import History, Past
from api.experiments.registry import LiveExperiment
from neonblue.bucketing import BUCKETS, Purpose, bucket, variant_of
from neonblue.bucketing.document import ExperimentEntry, HoldoutEntry, LayerEntry, VariantEntry, forced_digits
from neonblue.contract.events import Event

SALT, LAYER, HOLDOUT = "salt", "layer", "holdout"
SHARE = 5_000  # of the allocation, the layer's slot and the holdout, in basis points
TESTER = "tester"


def minute(number: int, second: int = 0) -> str:
    return f"2026-03-01T10:{number:02}:{second:02}.000000Z"


# What happens by the minute: the version's number.
PASTS = [
    Past(1, minute(1), "draft", allocation=SHARE),
    Past(2, minute(2), "running", allocation=SHARE, holdouts=frozenset({"h"})),
    Past(3, minute(3), "paused", allocation=SHARE, holdouts=frozenset({"h"})),
    Past(4, minute(4), "running", allocation=SHARE, holdouts=frozenset({"h"})),
    Past(5, minute(5), "running", "closed", allocation=SHARE, holdouts=frozenset({"h"})),
    Past(6, minute(6), "running", allocation=10_000, dropped=frozenset({"b"}), holdouts=frozenset({"h"})),
    Past(7, minute(7), "concluded", allocation=10_000, dropped=frozenset({"b"}), holdouts=frozenset({"h"})),
]
HISTORY = History().followed_by(PASTS)
NOW = minute(30)


def live(**fields: Any) -> LiveExperiment:
    columns: dict[str, Any] = {
        "status": "concluded", "external": False, "population": "exposed", "serving": None
    }  # fmt: skip
    columns |= {name: fields.pop(name) for name in list(fields) if name in columns}
    entry: dict[str, Any] = {
        "experiment_id": 1, "key": "e", "unit_type": "user", "version": 7, "salt": SALT, "allocation": 10_000,
        "variants": [
            VariantEntry(key="a", weight=1),
            VariantEntry(key="b", weight=1, active=False),
        ],
        "layer": LayerEntry(salt=LAYER, start=0, end=SHARE),
        "holdouts": [HoldoutEntry(salt=HOLDOUT, share=SHARE)],
        "forced": {forced_digits(SALT, TESTER): "a"},
    }  # fmt: skip
    return LiveExperiment.from_row(EvaluationRow(**columns, entry=ExperimentEntry(**(entry | fields))))


def unit(variant: str, *, held_out: bool = False, in_layer: bool = True, allocated: bool = True) -> str:
    """One that these rules take in or leave out."""
    half = BUCKETS // 2
    return next(
        name
        for name in map(str, range(10_000))
        if (bucket(HOLDOUT, Purpose.HOLDOUT, name) < half) == held_out
        and (bucket(LAYER, Purpose.LAYER, name) < half) == in_layer
        and (bucket(SALT, Purpose.ROLLOUT, name) < half) == allocated
        and variant_of(live().configuration, name) == variant
    )


INSIDE = {"a": unit("a"), "b": unit("b")}
UNITS = {
    "in": INSIDE["a"],
    "in, of the arm that is dropped": INSIDE["b"],
    "held out": unit("a", held_out=True),
    "in another slot": unit("a", in_layer=False),
    "beyond the allocation": unit("a", allocated=False),
    "tester": TESTER,
}
OUT = Outcome.OUTSIDE


def judge(experiment: LiveExperiment | None = None, history: History = HISTORY) -> Judge:
    return Judge(experiment or live(), history, NOW)


def exposure(user: str, at: str, version: int | None = None, **fields: Any) -> Event:
    columns: dict[str, Any] = {
        "id": "i", "day": "2026-03-01", "user_id": user, "unit_type": "user", "event_type": "exposure",
        "timestamp": at, "experiment_id": 1, "variant_key": variant_of(live().configuration, user),
        "session_id": None, "value": None, "properties": None, "carried_version": version,
    }  # fmt: skip
    return Event(**(columns | fields))


# By the version, what becomes of each unit that says it met its variant within its minute.
OPEN = {
    "in": Outcome.STORED,
    "in, of the arm that is dropped": Outcome.STORED,
    "held out": OUT,
    "in another slot": OUT,
    "beyond the allocation": OUT,
    "tester": Outcome.TESTER,
}
TABLE = {
    1: dict.fromkeys(UNITS, Outcome.NOT_RUNNING),
    2: OPEN,
    3: dict.fromkeys(UNITS, Outcome.NOT_RUNNING),
    4: OPEN,
    5: dict.fromkeys(UNITS, Outcome.ENROLMENT_CLOSED),
    6: OPEN | {"in, of the arm that is dropped": OUT, "beyond the allocation": Outcome.STORED},
    7: dict.fromkeys(UNITS, Outcome.NOT_RUNNING),
}


@pytest.mark.parametrize("version", TABLE)
@pytest.mark.parametrize("word", UNITS)
def test_the_configuration_of_then_decides(version: int, word: str) -> None:
    user, expected = UNITS[word], TABLE[version][word]
    for event, verdict in (
        (exposure(user, minute(version, 30)), judge().plain),
        (exposure(user, minute(version, 30), version), judge().carried),
    ):
        found = verdict(event)
        assert found.outcome is expected
        if expected is Outcome.STORED:
            assert found == Verdict(expected, variant_of(live().configuration, user), version)


@pytest.mark.parametrize("version", [2, 4, 6])
@pytest.mark.parametrize("word", ["held out", "in another slot", "tester"])
@pytest.mark.parametrize("served", ["a", "b"])
def test_who_is_left_out_is_stored_under_no_variant_that_it_may_have_been_shown(
    version: int, word: str, served: str
) -> None:
    for carried in (None, version):
        event = exposure(UNITS[word], minute(version, 1), carried, variant_key=served)
        found = judge().carried(event) if carried else judge().plain(event)
        assert found.outcome is not Outcome.STORED


@pytest.mark.parametrize(
    ("version", "at", "expected"),
    [
        (99, minute(2, 30), Outcome.UNKNOWN_VERSION),
        (0, minute(2, 30), Outcome.UNKNOWN_VERSION),
        (2, minute(4, 30), Outcome.STORED),  # an old configuration, and it runs
        (2, minute(3, 30), Outcome.NOT_RUNNING),  # an old configuration, while it was paused
        (2, minute(5, 30), Outcome.ENROLMENT_CLOSED),
        (2, minute(7, 30), Outcome.NOT_RUNNING),
        (3, minute(4, 30), Outcome.NOT_RUNNING),  # what is carried is the control of a paused experiment
        (2, minute(0), Outcome.STORED),  # by a clock that is behind: there was no such version yet
        (4, minute(3, 30), Outcome.STORED),
        (6, "2027-01-01T00:00:00.000000Z", Outcome.NOT_RUNNING),  # ahead: it was met before it came
    ],
)
def test_an_assignment_is_carried_under_a_version_that_ran_at_that_time(
    version: int, at: str, expected: Outcome
) -> None:
    assert judge().carried(exposure(INSIDE["a"], at, version)).outcome is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (minute(0), Outcome.NOT_RUNNING),  # before the first version
        (minute(2), Outcome.STORED),
        (minute(3), Outcome.NOT_RUNNING),
        ("2027-01-01T00:00:00.000000Z", Outcome.NOT_RUNNING),
    ],
)
def test_a_plain_exposure_goes_by_its_time_alone(at: str, expected: Outcome) -> None:
    assert judge().plain(exposure(INSIDE["a"], at)).outcome is expected


def test_one_ahead_of_its_receipt_is_judged_as_received() -> None:
    ahead = exposure(INSIDE["a"], minute(3, 30))
    assert Judge(live(), HISTORY, minute(2, 59)).plain(ahead).outcome is Outcome.STORED


@pytest.mark.parametrize(
    ("fields", "plain", "carried"),
    [
        ({"variant_key": "b"}, Outcome.OTHER_VARIANT, Outcome.OTHER_VARIANT),
        ({"variant_key": None}, Outcome.STORED, Outcome.STORED),
        ({"unit_type": "device"}, Outcome.OTHER_UNIT_TYPE, Outcome.OTHER_UNIT_TYPE),
    ],
)
def test_a_client_chooses_nothing(fields: dict[str, Any], plain: Outcome, carried: Outcome) -> None:
    assert judge().plain(exposure(INSIDE["a"], minute(2, 1), **fields)).outcome is plain
    assert judge().carried(exposure(INSIDE["a"], minute(2, 1), 2, **fields)).outcome is carried


def test_whom_targeting_means_the_client_alone_can_tell() -> None:
    targeted = judge(live(targeting='attributes.plan == "pro"'))
    inside, outside = INSIDE["a"], UNITS["in another slot"]
    assert targeted.plain(exposure(inside, minute(2, 1))).outcome is Outcome.NEEDS_ATTRIBUTES
    assert targeted.plain(exposure(outside, minute(2, 1))).outcome is OUT
    assert targeted.carried(exposure(inside, minute(2, 1), 2)).outcome is Outcome.STORED
    assert targeted.carried(exposure(outside, minute(2, 1), 2)).outcome is OUT


def test_of_a_version_whose_holdout_is_deleted_nobody_knows_who_was_in() -> None:
    gone = HISTORY.followed_by([Past(8, minute(8), "running")])
    free = judge(live(holdouts=[], layer=None), gone)
    ended = judge(live(holdouts=[]))  # deleted after the conclusion, without a version
    assert ended.carried(exposure(INSIDE["a"], minute(2, 1), 2)).outcome is Outcome.UNKNOWN_HOLDOUT
    assert free.carried(exposure(INSIDE["a"], minute(2, 1), 2)).outcome is Outcome.UNKNOWN_HOLDOUT
    assert free.plain(exposure(INSIDE["a"], minute(2, 1))).outcome is Outcome.UNKNOWN_HOLDOUT
    assert free.plain(exposure(UNITS["held out"], minute(8, 1))).outcome is Outcome.STORED


def test_of_a_draft_as_it_is_remembered_nothing_is_fixed() -> None:
    """Another process started it, and this one has not heard of it."""
    behind = judge(live(status="draft"))
    assert behind.plain(exposure(INSIDE["a"], minute(2, 1))).outcome is Outcome.NOT_RUNNING
    assert behind.carried(exposure(INSIDE["a"], minute(2, 1), 2)).outcome is Outcome.NOT_RUNNING


def test_imports_are_not_judged() -> None:
    imported = judge(live(external=True), History())
    assert imported.plain(exposure(INSIDE["a"], minute(2, 1))).outcome is Outcome.EXTERNAL
    assert imported.counts(exposure(INSIDE["a"], minute(3, 1)))


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        (minute(0), True),  # a clock a little behind the start
        (minute(1, 30), True),
        (minute(2), True),
        (minute(2, 59), True),
        (minute(3), False),
        (minute(3, 59), False),
        (minute(4), True),
        (minute(5, 30), True),  # closed to others
        (minute(7), False),
        (minute(40), False),
    ],
)
def test_an_assigned_unit_is_exposed_while_the_experiment_runs(at: str, counts: bool) -> None:
    assert judge().counts(exposure(INSIDE["a"], at)) is counts


def test_a_history_remembers_what_changed_and_goes_on_where_it_ended() -> None:
    first = History().followed_by(PASTS[:3])
    assert first.followed_by(PASTS[3:]) == HISTORY
    later = HISTORY.followed_by([Past(9, minute(9), "concluded", "open", 10_000, *_last())])
    assert later.at(minute(9)) == later.under(9) == later.pasts[-1]
    assert HISTORY.under(9) is None


def test_the_times_of_versions_never_go_back() -> None:
    """Each is by the clock of the process that took it."""
    history = History().followed_by([Past(1, minute(5), "running"), Past(2, minute(4), "paused")])
    assert [past.since for past in history.pasts] == [minute(5), minute(5)]
    assert history.stopped_at(minute(5))
    assert not history.stopped_at(minute(4, 59))


def _last() -> tuple[frozenset[str], frozenset[str]]:
    return PASTS[-1].dropped, PASTS[-1].holdouts


def test_a_late_exposure_is_judged_by_the_enrolment_of_its_time() -> None:
    """That no new unit enters by now says nothing of who met its variant before."""
    closed_since = judge(live(closed="a"))
    for sent in (exposure(INSIDE["a"], minute(2, 30), 2), exposure(INSIDE["a"], minute(2, 30))):
        verdict = closed_since.carried(sent) if sent.carried_version else closed_since.plain(sent)
        assert (verdict.outcome, verdict.version) == (Outcome.STORED, 2)
