"""A safe rollout, live on the whole platform: a healthy change reaches all by itself, a harmful one is put back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from neonblue.bucketing import FULL_ALLOCATION as FULL
from neonblue.client import Client, NewAssignment, event_of
from neonblue.settings import Settings

from .conftest import CommandLine
from .guarding import (
    BASE_RATE,
    ERRORS,
    HARMED_RATE,
    PACE_SECONDS,
    PROMISED_SECONDS,
    Unit,
    is_breached,
    running_configuration,
)

pytestmark = pytest.mark.timeout(900)
HEALTHY, HARMFUL = "safe-rollout", "unsafe-rollout"
UNITS_PER_ROUND = 60
STEPS = [
    {"allocation": "50 %", "hold": "PT5S", "units": 50},
    {"allocation": "75 %", "hold": "PT5S"},
    {"allocation": "100 %", "hold": "PT5S"},
]
GIVEN_UP_SECONDS = 240.0
HARMLESS = [f"harmless-{number}" for number in range(20)]
WATCHED = [f"trouble_{number}" for number in range(5)]
USERS_OF_EACH = 20
MOST_STOPPED = 1
"""Of twenty: 5 %."""


def experiment(
    key: str, steps: list[dict[str, Any]], metrics: Sequence[dict[str, Any]] = (ERRORS,)
) -> dict[str, Any]:
    return {
        "key": key,
        "variants": [{"key": "control", "is_control": True}, {"key": "treatment"}],
        "metrics": list(metrics),
        "ramp": {"steps": steps, "on_breach": "roll_back"},
    }


class Traffic:
    """Users that keep coming to one experiment, some of whom err at once."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.key = client, key
        self.chance, self.users = random.Random(1), 0
        self.units: list[Unit] = []

    def round(self, treatment_rate: float) -> float:
        """Some more users and their errors; when those were sent, on the monotonic clock."""
        users = [f"{self.key}-{self.users + number}" for number in range(UNITS_PER_ROUND)]
        self.users += len(users)
        given = self.client.assign_many([NewAssignment(experiment=self.key, user_id=user) for user in users])
        met, errors = time.monotonic(), []
        for user, assigned in zip(users, given, strict=True):
            if assigned.assigned_at is None:  # not in the experiment, or it does not run any more
                continue
            arm = str(assigned.variant_key)
            errs = self.chance.random() < (treatment_rate if arm == "treatment" else BASE_RATE)
            self.units.append(Unit(arm, errs, met))
            if errs:
                errors.append(event_of("error", user, experiment=self.key))
        sent = time.monotonic()
        if errors:
            self.client.send(errors)
        time.sleep(PACE_SECONDS)
        return sent


@pytest.fixture(scope="module", autouse=True)
def built(neonblue: CommandLine) -> None:
    """The watch reads the live models, which the first build makes."""
    neonblue.run("build")


def begin(api: httpx.Client, key: str, steps: list[dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Start the experiment; a look at it as it stands."""
    api.post("/v1/experiments", json=experiment(key, steps)).raise_for_status()
    api.post(f"/v1/experiments/{key}/start").raise_for_status()

    def now() -> dict[str, Any]:
        found: dict[str, Any] = api.get(f"/v1/experiments/{key}").raise_for_status().json()
        return found

    return now


def test_a_healthy_change_reaches_all_by_itself(settings: Settings, api: httpx.Client) -> None:
    now = begin(api, HEALTHY, STEPS)
    began = time.monotonic()
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        traffic = Traffic(client, HEALTHY)
        while now()["allocation"] < 10_000:
            traffic.round(BASE_RATE)
            assert time.monotonic() < began + GIVEN_UP_SECONDS, now()["ramp"]
        traffic.round(BASE_RATE)

    print(f"at 100 % after {time.monotonic() - began:.1f} s, {len(traffic.units)} units")
    assert now()["status"] == "running"
    history = api.get(f"/v1/experiments/{HEALTHY}/versions").json()["items"]
    assert [item["action"] for item in reversed(history)] == ["create", "start", "ramp", "ramp"]
    assert all(arm in {unit.arm for unit in traffic.units} for arm in ("control", "treatment"))


def test_a_harmful_change_is_put_back_to_the_control(settings: Settings, api: httpx.Client) -> None:
    """From the first event after which the confidence sequence excludes the margin, until nobody gets the treatment."""
    now = begin(api, HARMFUL, [STEPS[0] | {"hold": "PT30M"}, *STEPS[1:]])

    running = running_configuration(settings, HARMFUL)
    began, evidence = time.monotonic(), None
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        traffic = Traffic(client, HARMFUL)
        while now()["status"] == "running":
            sent = traffic.round(HARMED_RATE)
            if evidence is None and is_breached(traffic.units, running, sent):
                evidence = sent
            assert time.monotonic() < began + GIVEN_UP_SECONDS, "it was not put back"
        stopped = time.monotonic()
        users = [f"{HARMFUL}-{number}" for number in range(traffic.users)]
        served = [
            one.variant_key
            for at in range(0, len(users), 500)
            for one in client.assign_many(
                [NewAssignment(experiment=HARMFUL, user_id=user) for user in users[at : at + 500]]
            )
        ]

    seconds = stopped - (evidence or stopped)
    print(f"everybody on the control {seconds:.1f} s after the evidence, {len(traffic.units)} units")
    assert set(served) == {"control"}
    assert now()["allocation"] == 5_000
    assert seconds < PROMISED_SECONDS
    undone = api.post(f"/v1/experiments/{HARMFUL}/resume").raise_for_status().json()
    assert (undone["status"], undone["enrolment"]) == ("running", "open")


def test_of_twenty_harmless_ramps_with_five_guardrails_each_one_is_stopped_at_most(
    settings: Settings, api: httpx.Client
) -> None:
    """Guardrails without a margin, which any loss that is shown breaches; both arms are alike."""
    guardrails = [
        ERRORS | {"key": name, "event_type": name, "margin": None, "margin_relative": True}
        for name in WATCHED
    ]
    for key in HARMLESS:
        api.post("/v1/experiments", json=experiment(key, STEPS, guardrails)).raise_for_status()
        api.post(f"/v1/experiments/{key}/start").raise_for_status()
    chance, began, rounds = random.Random(7), time.monotonic(), 0
    left, stopped = set(HARMLESS), set()
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        while left:
            rounds += 1
            users = [f"anybody-{rounds}-{number}" for number in range(USERS_OF_EACH)]
            client.assign_many(
                [NewAssignment(experiment=key, user_id=user) for key in sorted(left) for user in users]
            )
            client.send(
                [event_of(name, user) for user in users for name in WATCHED if chance.random() < BASE_RATE]
            )
            listed = api.get("/v1/experiments", params={"limit": 200}).raise_for_status().json()["items"]
            now = {one["key"]: one for one in listed if one["key"] in left}
            stopped |= {key for key, one in now.items() if one["status"] != "running"}
            left -= stopped | {key for key, one in now.items() if one["allocation"] == FULL}
            assert time.monotonic() < began + 2 * GIVEN_UP_SECONDS, [now[key]["ramp"] for key in left]
            time.sleep(PACE_SECONDS)

    print(
        f"{len(stopped)} of {len(HARMLESS)} stopped, after {time.monotonic() - began:.1f} s, {rounds} rounds"
    )
    assert len(stopped) <= MOST_STOPPED
