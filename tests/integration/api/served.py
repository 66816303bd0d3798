"""Experiments in each state in which a key gives something, with a unit of each kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from neonblue.bucketing import Configuration, Holdout, LayerSlot, Unit, evaluate, variant_of
from tests.integration.api.conftest import Server
from tests.integration.api.experiments import holdout
from tests.integration.api.life_cycle import draft, step
from tests.integration.api.test_durability import query
from tests.served_table import KINDS, TABLE, Told

Json = dict[str, Any]
SHARE = 5_000
FORCED = {"force": True, "reason": "the test alone asks for it"}
SHIP = {"outcome": "ship", "variant_key": "b", "reason": "it helps"}
BACK = {"outcome": "roll_back", "reason": "it harms"}
ARMS = [
    {"key": "a", "is_control": True, "payload": {"value": "old"}},
    {"key": "b", "payload": {"value": "new"}},
]
VALUES = {"a": "old", "b": "new"}

RELEASE = {"variant_key": "b", "share": "100 %", "population": "everyone"}

Steps = list[tuple[str, Json | None]]
STATES: dict[str, Steps] = {
    "draft": [],
    "scheduled": [("schedule", None)],
    "running": [("start", None)],
    "running, enrolment closed": [("start", None), ("close", None)],
    "paused": [("start", None), ("pause", None)],
    "paused, enrolment closed": [("start", None), ("close", None), ("pause", None)],
    "concluded": [("start", None), ("conclude", None)],
    "rolled back": [("start", None), ("pause", None), ("conclude", BACK)],
    "released": [("start", None), ("conclude", SHIP)],
    "released to everyone": [("start", None), ("conclude", SHIP | {"release": RELEASE})],
    "released to nobody": [
        ("start", None),
        ("conclude", SHIP),
        ("release", {"variant_key": "b", "share": 0}),
    ],
}
"""What leads to each state of the table; what is archived has a test of its own."""
UNSTARTED = ("draft", "scheduled")
WORDS = tuple(kind for kind in KINDS if kind != "erased")
"""Erasing takes ClickHouse: the pure function and the tests of erasures have it."""
WITH_ANOTHER = ("stored", "stored, not targeted any more")


class Made:
    """An experiment in a state, and a unit of each kind. Hash and stored assignment give each of them `b`."""

    def __init__(self, api: httpx.Client, postgres: Server, state: str) -> None:
        self.api, self.postgres, self.state = api, postgres, state
        self.kind = f"kind-{uuid4()}"
        self.holdout, holdout_salt = holdout(postgres, SHARE)
        layer = f"layer-{uuid4()}"
        api.post("/v1/layers", json={"key": layer}).raise_for_status()
        made = draft(
            api,
            variants=ARMS,
            unit_type=self.kind,
            holdouts=[self.holdout],
            layer={"key": layer, "share": SHARE},
            targeting='attributes.plan == "pro"',
            scheduled_start_at=(datetime.now(UTC) + timedelta(days=1)).isoformat(),
        )
        self.key = made["key"]
        (layer_salt,) = query(postgres, "SELECT salt FROM layers WHERE key = %s", layer)[0]
        slot = LayerSlot(layer_salt, made["layer"]["start"], made["layer"]["end"])
        rules = Configuration(
            made["salt"], 10_000, (("a", 1), ("b", 1)), slot, (Holdout(holdout_salt, SHARE),)
        )

        def unit(word: str) -> str:
            reason = {"held out": "holdout", "in another slot": "not_in_layer"}.get(word, "assigned")
            for name in (f"{word.replace(' ', '-').replace(',', '')}-{uuid4()}" for _ in range(2_000)):
                found = evaluate(rules, Unit(name))
                if found.reason == reason and variant_of(rules, name) == "b":
                    return name
            raise AssertionError(word)

        self.units = {word: unit(word) for word in WORDS}
        self.person = unit("person")
        forced = {"user_id": self.units["forced"], "variant_key": "b"}
        api.put(f"/v1/experiments/{self.key}/forced-variants", json=forced).raise_for_status()
        for word, body in STATES[state]:
            self.take(word, body)

    def take(self, word: str, body: Json | None) -> None:
        """A step of the life cycle, or a change."""
        path, tag = f"/v1/experiments/{self.key}", {}
        if word in ("close", "release"):
            tag = {"if-match": f'"{self.api.get(path).json()["version"]}"'}
        if word == "close":
            self.api.patch(path, json={"enrolment": "closed"}, headers=tag).raise_for_status()
        elif word == "release":
            self.api.put(f"{path}/release", json=body, headers=tag).raise_for_status()
        else:
            step(self.api, self.key, word, body).raise_for_status()
        if word == "start":
            for name in (*(self.units[word] for word in WITH_ANOTHER), self.person):
                assert self.ask(name, "pro")["variant_key"] == "b"
            link = {"anonymous_id": self.units["linked"], "user_id": self.person, "unit_type": self.kind}
            self.api.post("/v1/users/links", json=link).raise_for_status()

    def attributes(self, word: str) -> Json:
        return {"plan": "free" if "not targeted" in word else "pro"}

    def ask(self, user: str, plan: str) -> Json:
        body = {"experiment": self.key, "user_id": user, "attributes": {"plan": plan}}
        answer = self.api.post("/v1/assignments", json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def assign(self, word: str) -> Json:
        return self.ask(self.units[word], self.attributes(word)["plan"])

    def expected(self, word: str) -> Told:
        return TABLE[self.state][word]

    def stored(self) -> int:
        """Assignments and exposures."""
        ((assignments, exposures),) = query(
            self.postgres,
            """SELECT (SELECT count(*) FROM assignments WHERE experiment_id = e.id),
                (SELECT count(*) FROM events WHERE experiment_id = e.id)
            FROM experiments AS e WHERE key = %s""",
            self.key,
        )
        return int(assignments) + int(exposures)
