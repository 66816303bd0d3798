"""A guardrail that gets worse pauses its experiment, through the whole platform, and nothing else."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

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
HARMED, UNHARMED = "guarded", "unharmed"
UNITS_PER_ROUND = 40
HEALTHY_ROUNDS = 12


def experiment(key: str) -> dict[str, Any]:
    return {
        "key": key,
        "variants": [
            {"key": "control", "weight": 1, "is_control": True},
            {"key": "treatment", "weight": 1},
        ],
        "metrics": [
            {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"},
            ERRORS,
        ],
    }


@dataclass
class Traffic:
    """Users that keep coming, each exposed to both experiments, some of whom err at once."""

    client: Client
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    units: list[Unit] = field(default_factory=list)
    users: int = 0

    def round(self, treatment_rate: float) -> float:
        """Some more users and their errors; when those were sent, on the monotonic clock."""
        users = [f"guest-{self.users + number}" for number in range(UNITS_PER_ROUND)]
        self.users += len(users)
        arms = {
            key: self.client.assign_many([NewAssignment(experiment=key, user_id=user) for user in users])
            for key in (HARMED, UNHARMED)
        }
        met = time.monotonic()
        errors = []
        for user, assigned in zip(users, arms[HARMED], strict=True):
            if assigned.variant_key is None:  # paused in the meantime
                continue
            rate = treatment_rate if assigned.variant_key == "treatment" else BASE_RATE
            errs = self.chance.random() < rate
            self.units.append(Unit(assigned.variant_key, errs, met))
            if errs:
                errors.append(event_of("error", user, experiment=HARMED))
        errors += [
            event_of("error", user, experiment=UNHARMED) for user in users if self.chance.random() < BASE_RATE
        ]
        sent = time.monotonic()
        if errors:
            assert self.client.send(errors).accepted == len(errors)
        time.sleep(PACE_SECONDS)
        return sent


def test_a_breach_pauses_its_experiment_within_a_minute_of_the_evidence(
    settings: Settings, api: httpx.Client, neonblue: CommandLine
) -> None:
    """From the first event after which the confidence sequence excludes the margin, until the API says paused.

    The event is the first that is sent when so many units have finished their window; the seconds run from just
    before it is sent.
    """
    neonblue.run("build")  # the watch reads the live models, which the first build makes
    for key in (HARMED, UNHARMED):
        api.post("/v1/experiments", json=experiment(key)).raise_for_status()
        api.post(f"/v1/experiments/{key}/start").raise_for_status()

    def status(key: str) -> str:
        return str(api.get(f"/v1/experiments/{key}").raise_for_status().json()["status"])

    harmed = running_configuration(settings, HARMED)
    with Client(settings.api.address, settings.api.token.get_secret_value()) as client:
        traffic = Traffic(client)
        for _ in range(HEALTHY_ROUNDS):
            assert not is_breached(traffic.units, harmed, traffic.round(BASE_RATE))
        assert status(HARMED) == "running"

        evidence: float | None = None
        deadline = time.monotonic() + 5 * PROMISED_SECONDS
        while status(HARMED) == "running":
            sent = traffic.round(HARMED_RATE)
            if evidence is None and is_breached(traffic.units, harmed, sent):
                evidence = sent
            assert time.monotonic() < deadline, "the experiment was not paused"
        paused = time.monotonic()

    assert is_breached(traffic.units, harmed, paused), "paused before there was evidence"
    seconds = paused - (evidence or paused)
    print(f"paused {seconds:.1f} s after the evidence, {len(traffic.units)} units")
    assert status(HARMED) == "paused"
    assert status(UNHARMED) == "running"
    assert seconds < PROMISED_SECONDS
