"""The stages from the assignment to the analysis count the same units: people, whatever ids they came with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from dagster import materialize

from neonblue.bucketing import Purpose, bucket
from orchestration.defs.exposure.assets import sample_ratio_stages
from orchestration.resources import ClickHouse, Postgres
from tests.integration.api.conftest import Server
from tests.integration.api.life_cycle import patch, started
from tests.integration.orchestration.conftest import Analysis
from tests.integration.warehouse import envelope

VARIANTS = [{"key": "a", "is_control": True}, {"key": "b"}]
Units = Counter[tuple[int, str]]
"""Units by the configuration version they entered under and variant."""


@dataclass
class People:
    """People who meet one experiment through the API."""

    api: httpx.Client
    experiment: dict[str, Any]

    def comes(self, variant: str, *, exposed: bool = True) -> str:
        """A new id that is given this variant."""
        user = next(user for user in iter(lambda: f"id-{uuid4()}", "") if self.variant(user) == variant)
        self.assign(user, exposed=exposed)
        return user

    def variant(self, user: str) -> str:
        return "ab"[bucket(self.experiment["salt"], Purpose.VARIANT, user) >> 63]

    def assign(self, user: str, *, exposed: bool = True) -> None:
        body = {"experiment": self.experiment["key"], "user_id": user, "expose": exposed}
        self.api.post("/v1/assignments", json=body).raise_for_status()

    def logs_in(self, person: str, *anonymous: str) -> None:
        for one in anonymous:
            body = {"anonymous_id": one, "user_id": person}
            self.api.post("/v1/users/links", json=body).raise_for_status()

    def erase(self, person: str) -> None:
        self.api.delete(f"/v1/users/{person}").raise_for_status()


def carry(server: Server, analysis: Analysis) -> None:
    """Send the outbox down the stream, as Debezium does."""
    with psycopg.connect(server.dsn) as connection:
        rows = connection.execute(
            "SELECT aggregate_type, payload, event_type FROM outbox_events ORDER BY id"
        ).fetchall()
    analysis.topic.send(*(envelope(kind, payload, event_type=name) for kind, payload, name in rows))


def stages(analysis: Analysis, experiment_id: int) -> dict[str, Units]:
    """What the asset writes on the experiment."""
    resources = {"clickhouse": ClickHouse(), "postgres": Postgres()}
    assert materialize([sample_ratio_stages], resources=resources).success
    found: dict[str, Units] = {}
    for stage, version, variant, units in analysis.client.query(
        "SELECT stage, version, variant_key, units FROM sample_ratio_stages WHERE experiment_id = {id:UInt32}",
        parameters={"id": experiment_id},
    ).result_rows:
        found.setdefault(stage, Counter())[version, variant] += units
    return found


@pytest.mark.parametrize("population", ["exposed", "assigned"])
def test_every_stage_counts_people_and_leaves_out_the_same(
    analysis: Analysis,
    api: httpx.Client,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
    population: str,
) -> None:
    monkeypatch.setenv("NEONBLUE_POSTGRES_URL", postgres.dsn)
    first = started(api, variants=VARIANTS, population=population, salt=uuid4().hex)
    people = People(api, first)
    adopts, agrees, later, torn, erased, returns = (f"person-{uuid4()}" for _ in range(6))
    for variant in "aaabb":
        people.comes(variant)
    people.comes("a", exposed=False)
    people.logs_in(adopts, people.comes("b"), people.comes("b", exposed=False))
    phone, tablet = people.comes("a", exposed=False), people.comes("b")
    for person in (erased, returns):
        people.logs_in(person, people.comes("a"))
        people.erase(person)
    second = patch(api, first, {"name": "another version with the same weights"}).json()
    people.logs_in(agrees, phone, people.comes("a"))
    people.logs_in(later, people.comes("a"))
    people.logs_in(torn, tablet, people.comes("a"))
    people.assign(returns)
    carry(postgres, analysis)
    analysis.build("+first_exposures", "exposed_units")

    one, two = first["version"], second["version"]
    # Five by one id and adopts and agrees; later and returns.
    met = Counter({(one, "a"): 3 + 1, (one, "b"): 2 + 1, (two, "a"): 1})
    met[two, people.variant(returns)] += 1
    assigned = met + Counter({(one, "a"): 1})
    expected = {"assigned": assigned, "exposed": met, "ingested": met, "analysed": met}
    if population == "assigned":
        expected = {"assigned": assigned, "analysed": assigned}
    assert stages(analysis, first["id"]) == expected
