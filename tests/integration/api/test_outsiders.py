"""Exposures of units that no experiment has in it, as clients of the version before send them: they change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from neonblue.bucketing import BUCKETS, Purpose, bucket
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import Written, holdout, layer, write
from tests.integration.api.fleet import wait_until
from tests.integration.api.prometheus import counted
from tests.integration.api.test_durability import query

Json = dict[str, Any]
CARRIED, PLAIN = "neonblue_carried_assignments_total", "neonblue_unassigned_exposures_total"
BATCH = 1_000
OUTSIDERS = 100_000
INSIDERS = 200
SHARE = 5_000


class Field:
    """An experiment that leaves out whom a holdout has, whom its layer gives elsewhere, and half of all others."""

    def __init__(self, api: httpx.Client, postgres: Server, population: str) -> None:
        self.api, self.postgres = api, postgres
        self.layer_id, self.layer_salt = layer(postgres)
        held, self.holdout_salt = holdout(postgres, SHARE)
        self.experiment: Written = write(
            postgres,
            allocation=SHARE,
            population=population,
            holdouts=[held],
            layer_id=self.layer_id,
            layer_start=0,
            layer_end=SHARE,
        )
        self.salt: str = self.experiment.columns["salt"]
        wait_until(
            lambda: self.experiment.key in api.get("/v1/configuration").text, "the experiment is known"
        )

    def takes_in(self, unit: str) -> bool:
        half = BUCKETS // 2
        return (
            bucket(self.holdout_salt, Purpose.HOLDOUT, unit) >= half
            and bucket(self.layer_salt, Purpose.LAYER, unit) < half
            and bucket(self.salt, Purpose.ROLLOUT, unit) < half
        )

    def variant(self, unit: str) -> str:
        return "ab"[bucket(self.salt, Purpose.VARIANT, unit) >> 63]

    def units(self, count: int, *, inside: bool) -> list[str]:
        found: list[str] = []
        n = 0
        while len(found) < count:
            n += 1
            if self.takes_in(f"u-{n}") == inside:
                found.append(f"u-{n}")
        return found

    def assign(self, units: list[str], *, expose: bool) -> None:
        body = [{"experiment": self.experiment.key, "user_id": unit, "expose": expose} for unit in units]
        self.api.post("/v1/assignments", json=body).raise_for_status()

    def stored(self) -> list[tuple[Any, ...]]:
        """Every unit, with its variant, version and first exposure."""
        return query(
            self.postgres,
            "SELECT user_id, variant_key, version, exposed_at FROM assignments WHERE experiment_id = %s ORDER BY 1",
            self.experiment.number,
        )

    def expose(self, units: list[str], **fields: Any) -> None:
        """What a client does that exposes whatever has a variant: the control's key is one."""
        for start in range(0, len(units), BATCH):
            events = [
                {
                    "event_type": "exposure",
                    "experiment": self.experiment.key,
                    "user_id": unit,
                    "variant_key": "a",
                    "timestamp": datetime.now(UTC).isoformat(),
                }
                | fields
                for unit in units[start : start + BATCH]
            ]
            answer = self.api.post("/v1/events", json=events).json()
            assert answer["accepted"] == len(events), answer

    def move(self, **columns: Any) -> None:
        """Another version; returns once the API knows it."""
        self.experiment.change(**columns)
        word = columns.get("status")
        body = {"experiment": self.experiment.key, "user_id": self.left_out}
        if word is not None:
            reasons = {"paused": "paused", "concluded": "concluded"}
            wait_until(
                lambda: (
                    self.api.post("/v1/assignments", json=body | {"expose": False}).json().get("reason")
                    == reasons.get(word, "not_in_layer")
                ),
                f"it is known to be {word}",
            )

    @property
    def left_out(self) -> str:
        """One outside of the layer alone."""
        half = BUCKETS // 2
        return next(
            unit
            for unit in (f"probe-{n}" for n in range(1_000))
            if bucket(self.holdout_salt, Purpose.HOLDOUT, unit) >= half
            and bucket(self.layer_salt, Purpose.LAYER, unit) >= half
        )


@pytest.fixture(scope="module", params=["exposed", "assigned"])
def field(api: httpx.Client, postgres: Server, request: pytest.FixtureRequest) -> Iterator[Field]:
    made = Field(api, postgres, request.param)
    yield made
    query(postgres, "DELETE FROM holdouts WHERE salt = %s", made.holdout_salt)


def _counts(api: httpx.Client, name: str, **labels: str) -> Callable[[], Counter[str]]:
    """By outcome, what is counted from now on."""
    words = ("stored", "existed", "conflict", "outside", "not_running", "enrolment_closed", "other_variant")
    before = {word: counted(api, name, outcome=word, **labels) for word in words}
    return lambda: Counter(
        {word: int(counted(api, name, outcome=word, **labels) - before[word]) for word in words}
    )


@pytest.mark.timeout(240)
def test_exposures_of_outsiders_leave_population_and_sample_ratio_as_they_are(
    api: httpx.Client, field: Field
) -> None:
    insiders = field.units(INSIDERS, inside=True)
    field.assign(insiders, expose=True)
    before = field.stored()
    assert [(unit, variant) for unit, variant, *_ in before] == sorted(
        (unit, field.variant(unit)) for unit in insiders
    )
    # A tenth of them where the population makes no difference to the way that they take.
    outsiders = field.units(
        OUTSIDERS if field.experiment.columns["population"] == "exposed" else OUTSIDERS // 10, inside=False
    )
    half = len(outsiders) // 2
    plain, carried = (
        _counts(api, name, **labels)
        for name, labels in ((PLAIN, {"experiment": field.experiment.key}), (CARRIED, {}))
    )

    field.expose(outsiders[:half])
    field.expose(outsiders[half:], configuration_version=1)

    assert field.stored() == before
    assert plain() == Counter(outside=half)
    assert carried() == Counter(outside=len(outsiders) - half)


def test_while_it_is_paused_nobody_is_exposed_and_afterwards_the_next_exposure_counts(
    api: httpx.Client, field: Field
) -> None:
    units = field.units(INSIDERS + 40, inside=True)[INSIDERS:]
    assigned, fresh = units[:20], units[20:]
    field.assign(assigned, expose=False)
    before = field.stored()
    ran = datetime.now(UTC)
    field.move(status="paused")
    everybody = [unit for unit, *_ in before] + fresh

    field.expose(everybody)
    field.expose(everybody, configuration_version=1)
    field.expose(everybody, configuration_version=2)
    field.assign(assigned, expose=True)
    assert field.stored() == before

    # What comes late is of the time when it ran.
    late, in_time = assigned[:5], (ran - timedelta(milliseconds=1)).isoformat()
    field.expose(late, timestamp=in_time)
    assert {unit for unit, *_, at in field.stored() if at is None} == set(assigned) - set(late)

    field.move(status="running")
    again = datetime.now(UTC)
    field.expose(assigned, variant_key="b")
    exposed = {unit: at for unit, _, _, at in field.stored()}
    assert {unit: exposed[unit] for unit in late} == dict.fromkeys(late, datetime.fromisoformat(in_time))
    assert all(exposed[unit] >= again for unit in assigned[5:])
    assert [row[:3] for row in field.stored()] == [row[:3] for row in before]


def test_once_enrolment_is_closed_who_is_in_it_goes_on_and_nobody_comes(
    api: httpx.Client, field: Field
) -> None:
    units = field.units(INSIDERS + 60, inside=True)[INSIDERS + 40 :]
    assigned, fresh = units[:5], units[5:]
    field.assign(assigned, expose=False)
    before = field.stored()
    field.move(enrolment="closed")
    version = before[-1][2] + 1

    plain = _counts(api, PLAIN, experiment=field.experiment.key)
    field.expose([*fresh, *assigned])
    for carried in (version - 1, version):
        field.expose(fresh, configuration_version=carried)
    assert plain() == Counter(enrolment_closed=len(fresh))
    assert [row[:3] for row in field.stored()] == [row[:3] for row in before]
    assert None not in {at for *_, at in field.stored()}


def test_a_client_that_evaluated_while_it_ran_is_believed_after_the_end(
    api: httpx.Client, field: Field
) -> None:
    field.move(enrolment="open")
    version = query(field.postgres, "SELECT version FROM experiments WHERE id = %s", field.experiment.number)[
        0
    ][0]
    units = field.units(INSIDERS + 80, inside=True)[INSIDERS + 60 :]
    met = datetime.now(UTC).isoformat()
    field.move(status="concluded")
    before = field.stored()
    for unit in units[:10]:
        field.expose([unit], variant_key=field.variant(unit), timestamp=met, configuration_version=version)
    field.expose(units[10:], configuration_version=version)  # of what the key gives afterwards
    assert [row[:3] for row in field.stored() if row not in before] == sorted(
        (unit, field.variant(unit), version) for unit in units[:10]
    )


def test_an_exposure_that_a_process_takes_before_it_hears_of_the_pause_is_none(
    api: httpx.Client, postgres: Server
) -> None:
    experiment, unit = write(postgres), f"u-{uuid4()}"
    body = {"experiment": experiment.key, "user_id": unit}
    wait_until(
        lambda: api.post("/v1/assignments", json=body | {"expose": False}).json().get("variant_key"),
        "it is known",
    )
    query(postgres, "UPDATE experiments SET status = 'paused' WHERE id = %s", experiment.number)  # untold
    api.post("/v1/assignments", json=body)
    exposed = "SELECT exposed_at FROM assignments WHERE experiment_id = %s"
    assert query(postgres, exposed, experiment.number) == [(None,)]
    assert query(postgres, "SELECT count(*) FROM events WHERE user_id = %s", unit) == [(0,)]

    experiment.change(status="running")
    wait_until(
        lambda: (
            api.post("/v1/assignments", json=body).status_code == 200
            and query(postgres, exposed, experiment.number) != [(None,)]
        ),
        "the unit is exposed",
    )
