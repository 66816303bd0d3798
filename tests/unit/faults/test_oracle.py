"""The oracle finds every kind of wrong data, and nothing where all is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.faults.notes import Notes, longest_gap
from neonblue.faults.oracle import Findings, Stored, StoredEvent, compare

UNIT, OTHER = ("checkout", "u1"), ("checkout", "u2")


def stored(ids: dict[str, StoredEvent] | None = None, **variants: frozenset[str]) -> Stored:
    return Stored(ids or {}, {("checkout", user): found for user, found in variants.items()})


def told(*ids: str, owner: str = "ada") -> Notes:
    notes = Notes()
    notes.sending(ids, owner)
    notes.acknowledge(ids, 1.0)
    return notes


def event(owner: str = "ada", **more: object) -> StoredEvent:
    return replace(StoredEvent(owner), **more)  # type: ignore[arg-type]


def judge(notes: Notes, accepted: Stored, present: Stored) -> dict[str, set[str]]:
    found = compare(notes, notes, accepted, present)
    return {name: getattr(found, name) for name, count in found.counts().items() if count}


def test_nothing_is_found_where_all_is_right() -> None:
    notes = told("a", "b")
    notes.was_told(UNIT, "control", stored=True)
    both = stored({"a": event(), "b": event(), "made": event(by_api=True)}, u1=frozenset({"control"}))

    assert judge(notes, both, both) == {}
    assert not compare(notes, notes, both, both)


def test_an_acknowledged_event_that_postgresql_lacks_is_lost() -> None:
    both = stored({"a": event()})

    assert judge(told("a", "b"), both, both) == {"lost": {"b"}}


def test_an_event_that_clickhouse_lacks_is_missing() -> None:
    assert judge(told("a"), stored({"a": event()}), stored()) == {"missing": {"a"}}


def test_an_assignment_that_clickhouse_lacks_is_missing() -> None:
    assert judge(Notes(), stored(u1=frozenset({"control"})), stored()) == {"missing": {"checkout/u1"}}


@pytest.mark.parametrize("side", [0, 1])
def test_a_second_row_of_an_id_is_doubled_in_either_store(side: int) -> None:
    once, twice = stored({"a": event()}), stored({"a": event(copies=2)})
    stores = (twice, once) if side == 0 else (once, twice)

    assert judge(told("a"), *stores) == {"doubled": {"a"}}


def test_equal_numbers_of_other_ids_are_no_equality() -> None:
    found = judge(told("a", "b"), stored({"a": event(), "b": event()}), stored({"a": event(), "c": event()}))

    assert found == {"missing": {"b"}, "unexpected": {"c"}}


def test_a_stored_event_without_an_answer_is_allowed_only_where_its_request_had_none() -> None:
    notes = told("a")
    notes.sending(["b"], "ada")
    both = stored({"a": event(), "b": event(), "c": event()})

    assert judge(notes, both, both) == {"unexplained": {"c"}}


def test_a_key_may_store_its_events_once() -> None:
    notes = Notes(keys={"k": 2})
    right = stored({"a": event(key="k"), "b": event(key="k")})
    wrong = stored({**right.events, "c": event(key="k")})

    assert judge(notes, right, right) == {}
    assert judge(notes, wrong, wrong) == {"doubled": {"k"}}


def test_other_content_is_altered() -> None:
    accepted = stored({"a": event(value=Decimal(1)), "b": event()})
    present = stored({"a": event(value=Decimal(2)), "b": event("bob")})

    assert judge(told("a", "b"), accepted, present) == {"altered": {"a", "b"}}


def _told_two(notes: Notes) -> None:
    notes.was_told(UNIT, "control", stored=False)
    notes.was_told(UNIT, "treatment", stored=False)


def _pair(notes: Notes) -> None:
    notes.was_told(UNIT, "control", stored=True)
    notes.was_told(OTHER, "treatment", stored=True)
    notes.pairs.append((UNIT, OTHER))


@pytest.mark.parametrize(
    ("note", "units", "found"),
    [
        (_told_two, {}, "checkout/u1 was told control, treatment"),
        (
            _pair,
            {"u1": frozenset({"control"}), "u2": frozenset({"treatment"})},
            "checkout/u1, linked to u2, was told control, treatment",
        ),
        (
            lambda notes: notes.was_told(UNIT, "control", stored=True),
            {"u1": frozenset({"treatment"})},
            "checkout/u1 was told control, PostgreSQL has treatment",
        ),
        (
            lambda notes: notes.was_told(UNIT, "control", stored=True),
            {},
            "checkout/u1 was told control, PostgreSQL has none",
        ),
        (
            lambda notes: None,
            {"u1": frozenset({"control", "treatment"})},
            "checkout/u1 has control, treatment in ClickHouse",
        ),
    ],
)
def test_a_unit_with_another_variant_has_moved(
    note: Callable[[Notes], None], units: dict[str, frozenset[str]], found: str
) -> None:
    notes = Notes()
    note(notes)
    both = stored(**units)

    assert found in judge(notes, both, both)["moved"]


def test_what_is_left_of_an_erased_person_is_revived_and_its_absence_is_no_loss() -> None:
    notes = told("a", "b", owner="bob")
    notes.erased.add("bob")
    notes.erasures_answered.add("bob")

    assert judge(notes, stored(), stored()) == {}
    assert judge(notes, stored(), stored({"a": event("bob")})) == {"revived": {"a"}}
    # Asked for, and not answered: either is right.
    notes.erasures_answered.clear()
    assert judge(notes, stored(), stored({"a": event("bob")})) == {}


def test_a_refusal_of_good_data_is_wrong() -> None:
    notes = Notes()
    notes.sending(["a"], "ada")
    notes.refused(["a"], "in_future timestamp")

    assert judge(notes, stored(), stored()) == {
        "wrong": {"the API refused a good event a: in_future timestamp"}
    }


def test_what_was_answered_while_the_stores_were_read_is_judged_next_time() -> None:
    before, after = told("a"), told("a", "b", "c")
    accepted = stored({"a": event(), "c": event()})

    assert not compare(before, after, accepted, stored({"a": event(), "c": event()}))
    assert compare(after, after, accepted, accepted).lost == {"b"}


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_the_differences_are_those_of_the_sets(
    acknowledged: set[int], accepted: set[int], present: set[int]
) -> None:
    names = [{str(number) for number in numbers} for numbers in (acknowledged, accepted, present)]
    notes = told(*names[0])
    found = compare(
        notes, notes, stored(dict.fromkeys(names[1], event())), stored(dict.fromkeys(names[2], event()))
    )

    assert found.lost == names[0] - names[1]
    assert found.missing == names[1] - names[2]
    assert found.unexpected == names[2] - names[1]
    assert found.unexplained == names[1] - names[0]


def test_what_is_known_is_not_found_again() -> None:
    known = Findings(missing={"a"})
    new = Findings(missing={"a", "b"}, lost={"c"}).less(known)

    assert new == Findings(missing={"b"}, lost={"c"})
    known.add(new)
    assert known == Findings(missing={"a", "b"}, lost={"c"})


def test_the_longest_gap_has_its_ends_at_the_moments_themselves() -> None:
    assert longest_gap([], 2.0, 5.0) == 3.0
    assert longest_gap([1.0, 3.0, 9.0], 2.0, 5.0) == 2.0
    assert longest_gap([4.9, 2.1], 2.0, 5.0) == pytest.approx(2.8)
