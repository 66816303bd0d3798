"""Who is in the history, in which experiments and arms, and from when on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neonblue.simulation.history.plan import Design, HistoryPlan, generator

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DAY = 86_400_000_000
_EXPERIMENTS_PER_USER = 2.0
COUNTRIES = ("de", "fr", "jp", "us")
PLANS = ("free", "pro")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One experiment's units. Arrays run over its units; times are microseconds since 1970.

    user: numbers of the users; treated: in the treatment; assigned_at; version: of the configuration entered under;
    in_two_arms: assigned to the other arm as well; exposed_at: 0 where never exposed.
    """

    design: Design
    user: Ints
    treated: Bools
    assigned_at: Ints
    version: Ints
    in_two_arms: Bools
    exposed_at: Ints


def user_id(plan: HistoryPlan, number: int) -> str:
    return f"user-{plan.seed}-{number}"


def anonymous_id(plan: HistoryPlan, number: int) -> str:
    return f"anonymous-{plan.seed}-{number}"


def attributes(number: int) -> str:
    """A user's attributes, as a JSON object; they depend on its number alone."""
    country, tariff = COUNTRIES[number % 7 % 4], PLANS[number % 5 // 4]
    return (
        f'{{"country": "{country}", "plan": "{tariff}", "staff": {"true" if number % 97 == 0 else "false"}}}'
    )


def microseconds(plan: HistoryPlan) -> tuple[int, int]:
    """The history's beginning and end."""
    return int(plan.start.timestamp() * 1e6), int(plan.end.timestamp() * 1e6)


def enrol(design: Design) -> Enrolment:
    """The experiment's units, drawn from the history's users."""
    plan = design.plan
    draws = generator(plan, 1, design.experiment_id)
    start, end = microseconds(plan)
    share = min(0.5, _EXPERIMENTS_PER_USER / plan.experiments)
    user = np.flatnonzero(draws.random(plan.units) < share)
    units = len(user)
    # Every fifth arrives on a whole hour, so that an exposure and an outcome meet in the same instant now and then.
    assigned_at = start + (draws.random(units) * (end - start - _DAY // 24)).astype(np.int64)
    on_the_hour = draws.random(units) < 0.2
    assigned_at = np.where(on_the_hour, assigned_at // 3_600_000_000 * 3_600_000_000, assigned_at)
    assigned_at = np.maximum(assigned_at, start)
    widened = assigned_at >= int(design.widened_at.timestamp() * 1e6)
    # Before the traffic was widened, half of the comers were let in.
    let_in = widened | (draws.random(units) < 0.5)
    delay = np.where(draws.random(units) < 0.2, 0, (draws.random(units) * 600e6).astype(np.int64))
    never = draws.random(units) < plan.never_exposed
    return Enrolment(
        design=design,
        user=user[let_in],
        treated=(draws.random(units) < 0.5)[let_in],
        assigned_at=assigned_at[let_in],
        version=np.where(widened, 2, 1)[let_in],
        in_two_arms=(draws.random(units) < plan.in_two_arms)[let_in],
        exposed_at=np.where(never, 0, assigned_at + delay)[let_in],
    )


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who came without an account at first. Arrays run over all users.

    opened_at: until then the user was mostly seen under the anonymous id; 0 for whoever had an account all along.
    other_arm, came_before: whether the account was in the experiment on its own too: a minute later in the other arm,
    or an hour earlier in the same one.
    """

    opened_at: Ints
    other_arm: Bools
    came_before: Bools


def open_accounts(plan: HistoryPlan, enrolments: list[Enrolment]) -> Accounts:
    """Half of the anonymous get an account within six hours of their first assignment, the others within three days."""
    draws = generator(plan, 5)
    _, end = microseconds(plan)
    entered = np.full(plan.units, end)
    for enrolment in enrolments:
        entered[enrolment.user] = np.minimum(entered[enrolment.user], enrolment.assigned_at)
    hours = np.where(draws.random(plan.units) < 0.5, 6, 72)
    waited = (draws.random(plan.units) * hours * _DAY / 24).astype(np.int64)
    anonymous = draws.random(plan.units) < plan.anonymous
    before = draws.random(plan.units)
    return Accounts(
        opened_at=np.where(anonymous, entered + waited, 0),
        other_arm=before < 0.2,
        came_before=(before >= 0.2) & (before < 0.4),
    )


def erasures(plan: HistoryPlan) -> tuple[Ints, Ints]:
    """The numbers of the erased users, and when each was."""
    draws = generator(plan, 2)
    start, end = microseconds(plan)
    users = np.flatnonzero(draws.random(plan.units) < plan.erased)
    return users, start + (draws.random(len(users)) * (end - start)).astype(np.int64)
