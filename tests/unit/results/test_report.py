"""What a report takes from the cohorts."""

from __future__ import annotations

from datetime import date

from neonblue.reports import RetentionPoint, Unavailable
from neonblue.results.parts import CohortItem
from neonblue.results.report import retention_of


def test_a_day_counts_only_the_cohorts_for_which_it_has_passed() -> None:
    cohorts = [
        CohortItem("control", date(2026, 2, 1), 0, 10, 10),
        CohortItem("control", date(2026, 2, 1), 1, 10, 4),
        CohortItem("control", date(2026, 2, 1), 2, 10, 2),
        CohortItem("control", date(2026, 2, 2), 0, 20, 20),
        CohortItem("control", date(2026, 2, 2), 1, 20, 6),
    ]
    # On the 5th the second day of the first cohort has passed for all of it; the younger cohort's has not.
    assert retention_of(cohorts, date(2026, 2, 5)) == (
        RetentionPoint(1, "control", 30, 10),
        RetentionPoint(2, "control", 10, 2),
    )


def test_a_cohort_that_nobody_of_came_back_counts_as_nobody() -> None:
    cohorts = [
        CohortItem("control", date(2026, 2, 1), 3, 10, 1),
        CohortItem("blue", date(2026, 2, 1), 0, 5, 5),
    ]
    found = retention_of(cohorts, date(2026, 3, 1))
    assert not isinstance(found, Unavailable)
    points = {(point.day, point.arm): point.retained for point in found}
    assert points[3, "blue"] == 0
    assert points[2, "control"] == 0


def test_without_cohorts_there_is_nothing() -> None:
    assert retention_of([], date(2026, 3, 1)) == ()


def test_units_that_never_come_back_are_told_from_units_whose_day_has_not_passed() -> None:
    cohorts = [CohortItem("control", date(2026, 2, 1), 0, 10, 10)]

    assert retention_of(cohorts, date(2026, 2, 2)) == ()
    assert retention_of(cohorts, date(2026, 3, 1)) == Unavailable("No unit was active after its first day.")
