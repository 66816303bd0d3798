"""What is stored under a person's ids and what would be answered now, by experiment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.assignments.repository import OfPerson
from api.assignments.together import put_together
from neonblue.contract.answers import AssignmentAnswer

AT = datetime(2026, 3, 1, tzinfo=UTC)
LATER = AT + timedelta(days=1)


def row(user_id: str = "ada", variant: str = "a", number: int = 1, **fields: Any) -> OfPerson:
    given: dict[str, Any] = {
        "status": "running",
        "source": "internal",
        "version": 2,
        "assigned_at": AT,
        "exposed_at": None,
    }
    given |= fields
    return OfPerson(
        f"e{number}", number, given["status"], given["source"], user_id, variant, given["version"],
        given["assigned_at"], given["exposed_at"],
    )  # fmt: skip


def answer(number: int = 1, variant: str | None = "a", **fields: Any) -> AssignmentAnswer:
    return AssignmentAnswer(
        experiment=f"e{number}",
        user_id="ada",
        experiment_id=number,
        variant_key=variant,
        version=3,
        assigned_at=None,
        created=False,
        **fields,
    )


def together(stored: list[OfPerson], *answers: AssignmentAnswer, everything: bool = False) -> list[Any]:
    return put_together(stored, answers, {2: "concluded"}, "ada", everything=everything)


@pytest.mark.parametrize(
    ("stored", "variant", "reason", "several"),
    [
        ([row()], "a", "assigned", False),
        ([row(source="external")], "a", "imported", False),
        # Taken over at the link: both ids have the very same assignment.
        ([row("anonymous"), row()], "a", "linked", False),
        ([row("anonymous", "b")], "b", "linked", False),
        # Each had one of its own before: the person's own counts.
        ([row("anonymous", "b"), row(assigned_at=LATER)], "a", "assigned", True),
        ([row("anonymous"), row(assigned_at=LATER)], "a", "assigned", False),
    ],
)
def test_the_own_assignment_of_the_person_counts_before_that_of_its_anonymous_ids(
    stored: list[OfPerson], variant: str, reason: str, several: bool
) -> None:
    (item,) = together(stored, answer(variant=variant))

    assert (item.variant_key, item.reason, item.several_variants) == (variant, reason, several)
    assert (item.now.variant_key, item.now.reason, item.now.served_by) == (variant, "assigned", "experiment")


def test_the_first_exposure_of_each_variant_is_told_in_order_of_time() -> None:
    stored = [
        row("x", "b", exposed_at=LATER),
        row("y", "a", exposed_at=AT),
        row("z", "b", exposed_at=LATER + timedelta(hours=1)),
        row(),
    ]
    (item,) = together(stored)

    assert [(met.variant_key, met.first_at) for met in item.exposures] == [("a", AT), ("b", LATER)]
    assert item.now is None


OUT = [
    answer(variant=None, reason="not_targeted"),
    answer(variant="a", reason="paused", served_by="control"),
]
IN = [
    answer(variant="a"),
    answer(variant="b", reason="forced"),
    answer(variant="b", reason="released", served_by="release"),
]


@pytest.mark.parametrize("given", OUT)
def test_whom_the_control_or_nothing_is_answered_is_not_in_it(given: AssignmentAnswer) -> None:
    assert together([], given) == []
    (item,) = together([], given, everything=True)
    assert (item.variant_key, item.now.reason) == (None, given.reason)


@pytest.mark.parametrize("given", IN)
def test_whom_an_experiment_or_a_release_gives_a_variant_is_in_it(given: AssignmentAnswer) -> None:
    assert together([], given) == together([], given, everything=True)
    (item,) = together([], given)
    assert (item.variant_key, item.assigned_at, item.reason) == (None, None, None)
    assert item.now.variant_key == given.variant_key


@pytest.mark.parametrize("given", [*OUT, *IN])
def test_what_is_stored_is_told_whatever_would_be_answered(given: AssignmentAnswer) -> None:
    (item,) = together([row(status="paused")], given)
    assert (item.variant_key, item.experiment_status) == ("a", "paused")
    assert (item.now.served_by is None) == (given.variant_key is None)


def test_experiments_stand_in_the_order_of_their_numbers_with_their_status() -> None:
    items = together([row(number=3, status="archived")], answer(2), answer(1))
    assert [(item.experiment, item.experiment_status) for item in items] == [
        ("e1", "running"),
        ("e2", "concluded"),
        ("e3", "archived"),
    ]
