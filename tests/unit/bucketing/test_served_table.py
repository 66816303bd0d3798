"""The table of what a key gives, over the pure function and over what travels to those who evaluate for themselves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from neonblue.bucketing import (
    Population,
    Purpose,
    Release,
    Serving,
    Unit,
    bucket,
    evaluate,
    serve,
    serving_of,
)
from neonblue.bucketing.document import (
    ConfigurationDocument,
    ExperimentEntry,
    HoldoutEntry,
    LayerEntry,
    ServedEntry,
    VariantEntry,
    forced_digits,
)
from neonblue.client.local import LocalEvaluator
from neonblue.contract.life_cycle import Status
from tests.served_table import KINDS, TABLE, Told

PRO, FREE = {"plan": "pro"}, {"plan": "free"}
ENTRY = ExperimentEntry(
    experiment_id=1,
    key="k",
    unit_type="user",
    version=1,
    salt="s",
    allocation=8_000,
    variants=[VariantEntry(key="a", weight=1), VariantEntry(key="b", weight=1)],
    layer=LayerEntry(salt="l", start=0, end=5_000),
    holdouts=[HoldoutEntry(salt="h", share=5_000)],
    targeting='attributes.plan == "pro"',
    forced={forced_digits("s", "tester"): "b"},
    outside="a",
)
STATES: dict[str, tuple[Status, bool, Release | None]] = {
    "draft": (Status.DRAFT, False, None),
    "scheduled": (Status.SCHEDULED, False, None),
    "running": (Status.RUNNING, False, None),
    "running, enrolment closed": (Status.RUNNING, True, None),
    "paused": (Status.PAUSED, False, None),
    "paused, enrolment closed": (Status.PAUSED, True, None),
    "concluded": (Status.CONCLUDED, False, None),
    "rolled back": (Status.CONCLUDED, False, Release("a", population=Population.EVERYONE)),
    "released": (Status.CONCLUDED, False, Release("b")),
    "released to everyone": (Status.CONCLUDED, False, Release("b", population=Population.EVERYONE)),
    "released to nobody": (Status.CONCLUDED, False, Release("b", 0)),
    "archived": (Status.ARCHIVED, False, Release("b")),
}
"""Status, whether enrolment is closed, release."""


def _unit(*, held_out: bool, in_slot: bool) -> str:
    """One whom allocation and weights give `b`."""
    plain = msgspec.structs.replace(ENTRY, holdouts=[], layer=None, targeting=None).configuration()
    real = ENTRY.configuration()
    assert real.layer is not None
    for name in map(str, range(10_000)):
        out = bucket("h", Purpose.HOLDOUT, name) < real.holdouts[0].bound
        inside = bucket("l", Purpose.LAYER, name) < real.layer.bounds[1]
        if (out, inside) == (held_out, in_slot) and evaluate(plain, Unit(name)).variant_key == "b":
            return name
    raise AssertionError("no such unit")


UNITS = {
    kind: Unit(
        "tester"
        if kind == "forced"
        else _unit(held_out=kind == "held out", in_slot=kind != "in another slot"),
        FREE if "not targeted" in kind else PRO,
    )
    for kind in KINDS
}
STORED = {"stored": "b", "stored, not targeted any more": "b", "linked": "b"}
"""An anonymous id that is linked has the person's assignment, and what was erased has none."""


def _made(state: str) -> tuple[ExperimentEntry, Serving | None]:
    status, closed, release = STATES[state]
    entry = msgspec.structs.replace(ENTRY, closed="a" if closed else None)
    return entry, serving_of(status, "a", release)


def _pairs() -> Iterator[object]:
    for state, row in TABLE.items():
        assert row.keys() == set(KINDS)
        for kind in KINDS:
            yield pytest.param(state, kind, id=f"{state}: {kind}")


def test_the_table_has_every_status() -> None:
    assert {status for status, _, _ in STATES.values()} == set(Status)
    assert STATES.keys() == TABLE.keys()


@pytest.mark.parametrize(("state", "kind"), _pairs())
def test_the_function_gives_what_the_table_says(state: str, kind: str) -> None:
    entry, serving = _made(state)
    found = serve(entry.configuration(), serving, UNITS[kind], STORED.get(kind))

    reason = None if found.reason == "assigned" else str(found.reason)
    assert Told(found.variant_key, reason, str(found.served_by)) == TABLE[state][kind]
    assert found.in_experiment == (TABLE[state][kind].served_by == "experiment")


@pytest.mark.parametrize(("state", "kind"), _pairs())
def test_who_evaluates_without_a_call_gets_it_too_where_nothing_stored_matters(state: str, kind: str) -> None:
    """Of drafts and of what is archived nothing travels; while no new unit enters the client asks who is stored."""
    entry, serving = _made(state)
    served = None if serving is None else ServedEntry.of(entry, serving)
    document = ConfigurationDocument(
        revision="r",
        experiments=[entry] if serving is None else [],
        served=[] if served is None or state in ("draft", "scheduled") else [served],
    )
    evaluator = LocalEvaluator()
    evaluator.install(msgspec.json.decode(msgspec.json.encode(document), type=ConfigurationDocument))
    found = evaluator.evaluate("k", UNITS[kind].id, UNITS[kind].attributes)

    if state in ("draft", "scheduled", "archived"):
        assert (found.variant_key, found.reason) == (None, "not_running")
        return
    expected = TABLE[state][kind]
    if serving is None and kind in STORED and entry.closed is not None:
        expected = Told("a", "enrolment_closed")  # it is then that the client asks
    elif serving is None and kind == "stored, not targeted any more":
        expected = Told("a", "not_targeted")  # what is stored is not known there
    reason = None if found.reason == "assigned" else found.reason
    assert Told(found.variant_key, reason, found.served_by) == expected
    assert found.exposable == (expected == Told("b", None, "experiment"))
