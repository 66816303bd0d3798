"""Stored variants worked out anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.checklist.recomputed import Explanations, Kind, StoredUnit, differing, explained
from neonblue.bucketing import Configuration, variant_of

PRESENT = Configuration("now", 10_000, (("a", 1), ("b", 1)))
FORMER = Configuration("then", 10_000, (("a", 1), ("b", 1)))
OTHER = {"a": "b", "b": "a"}


def unit(user_id: str, variant: str | None = None, version: int = 2) -> StoredUnit:
    return StoredUnit(user_id, variant or variant_of(PRESENT, user_id), version)


def wrong(user_id: str, version: int = 2) -> StoredUnit:
    return unit(user_id, OTHER[variant_of(PRESENT, user_id)], version)


def with_variant(variant: str, of: Configuration = PRESENT) -> str:
    return next(name for name in map(str, range(100)) if variant_of(of, name) == variant)


@given(st.sets(st.text(min_size=1, max_size=9)), st.sets(st.text(min_size=1, max_size=9)))
def test_those_that_differ_are_found_whoever_they_are(right: set[str], other: set[str]) -> None:
    stored = [*map(unit, right - other), *map(wrong, other)]

    assert {found.user_id for found in differing(stored, PRESENT)} == other


def test_each_that_differs_has_the_first_kind_that_explains_it() -> None:
    linked, tester, older, odd = (wrong("person"), wrong("tester"), None, wrong("odd"))
    name = next(
        user for user in map(str, range(100)) if variant_of(PRESENT, user) != variant_of(FORMER, user)
    )
    older = StoredUnit(name, variant_of(FORMER, name), 1)
    by = Explanations(
        linked={"person": [with_variant(OTHER[linked.variant_key]), with_variant(linked.variant_key)]},
        forced={"tester": tester.variant_key, "odd": OTHER[odd.variant_key]},
        versions={1: FORMER, 2: PRESENT},
    )

    kinds = explained([linked, tester, older, odd], PRESENT, by)

    assert kinds == {Kind.LINK: 1, Kind.FORCED: 1, Kind.OLDER_VERSION: 1, Kind.UNEXPLAINED: 1}


def test_an_anonymous_id_that_has_another_variant_explains_nothing() -> None:
    person = wrong("person")
    by = Explanations(linked={"person": [with_variant(OTHER[person.variant_key])]})

    assert explained([person], PRESENT, by) == {Kind.UNEXPLAINED: 1}


def test_of_an_import_all_that_differs_is_so_by_the_import() -> None:
    assert explained([wrong("x"), wrong("y")], PRESENT, Explanations(), imported=True) == {Kind.IMPORT: 2}
