"""The API as its clients call it, with a record of all that was sent to it and told by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import TypeVar

import httpx

from tests.end_to_end.lives.design import Json, Life
from tests.integration.dbt_project.expected_values import Row
from tests.waiting import until

AT_ONCE = 500
Item = TypeVar("Item")


@dataclass(slots=True)
class Told:
    """What is known of one experiment. versions: the arms that enrol under each; cuts: when it ceased to serve.

    goes_on: when it was resumed, after each cut that was a pause.
    """

    number: int
    status: str = "draft"
    versions: dict[int, frozenset[str]] = field(default_factory=dict)
    cuts: list[datetime] = field(default_factory=list)
    goes_on: list[datetime] = field(default_factory=list)


class Platform:
    """Sends, and writes down as rows: each event, assignment, link and erasure once, as it was accepted."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        self.told: dict[str, Told] = {}
        self.events: list[Row] = []
        self.assignments: list[Row] = []
        self.links: list[Row] = []
        self.erasures: list[Row] = []
        self.refused: list[str] = []
        self._ids: set[tuple[str, str]] = set()
        self._variants: dict[tuple[int, str], str] = {}
        self._pending = ""

    def create(self, life: Life) -> None:
        """The draft."""
        self.told[life.key] = Told(0)
        answer = self._api.post("/v1/experiments", json=life.draft(datetime.now(UTC)))
        self._note(life.key, _good(answer).json())

    def act(self, key: str, step: str) -> None:
        """One step of the owner's, such as `start`, `ramp 5000`, `drop b`, `ship b`."""
        name, _, given = step.partition(" ")
        reason = {"reason": f"the life takes the step {step}"}
        match name:
            case "ramp":
                self._change(key, {"allocation": int(given), **reason})
            case "drop":
                self._change(key, {"variants": [{"key": given, "active": False}], **reason})
            case "ship" | "roll_back" | "inconclusive":
                decision = {"outcome": name, **reason} | ({"variant_key": given} if given else {})
                self._step(key, "conclude", decision)
            case "decide":
                outcome, _, arm = given.partition(" ")
                decision = {"outcome": outcome, **reason} | ({"variant_key": arm} if arm else {})
                self._change(key, {"decision": decision})
            case "archive":  # right after its units came
                self._step(key, name, {"force": True, **reason})
            case "due":
                until(lambda: self._is_due(key), f"{key} starts when its time has come")
                self._note(key, self.get(f"/v1/experiments/{key}"))
            case _:
                self._step(key, name, None)

    def _is_due(self, key: str) -> bool:
        _good(self._api.post("/v1/experiments/due"))
        return bool(self.get(f"/v1/experiments/{key}")["status"] == "running")

    def get(self, path: str) -> Json:
        found: Json = _good(self._api.get(path)).json()
        return found

    def _step(self, key: str, step: str, body: Json | None) -> None:
        stops = step in ("pause", "conclude") and self.told[key].status == "running"
        self._note(key, _good(self._api.post(f"/v1/experiments/{key}/{step}", json=body)).json())
        if stops:
            self.told[key].cuts.append(datetime.now(UTC))
        if step == "resume":
            self.told[key].goes_on.append(datetime.now(UTC))

    def _change(self, key: str, body: Json) -> None:
        seen = _good(self._api.get(f"/v1/experiments/{key}")).headers["etag"]
        answer = self._api.patch(f"/v1/experiments/{key}", json=body, headers={"if-match": seen})
        self._note(key, _good(answer).json())

    def _note(self, key: str, said: Json) -> None:
        told = self.told[key]
        told.number, told.status = said["id"], said["status"]
        told.versions[said["version"]] = frozenset(arm["key"] for arm in said["variants"] if arm["active"])

    def assign(self, life: Life, items: Sequence[Json]) -> dict[str, str]:
        """The variants of those that were assigned now. Each item may say attributes, variant, time, `expose`.

        Who has an assignment, or gets it by another id, is not exposed: nothing would tell when.
        """
        number = self.told[life.key].number
        given: dict[str, str] = {}
        for some in _some(items):
            wanted, asked = [], set()
            for item in some:
                place = number, self.person(item["user_id"])
                new = place[1] == item["user_id"] and place not in self._variants and place not in asked
                asked.add(place)
                named = {"experiment": life.key, "unit_type": life.unit_type}
                wanted.append({**named, **item, "expose": item["expose"] and new})
            answers = self._items("/v1/assignments", wanted)
            for item, said in zip(wanted, answers, strict=True):
                if said["variant_key"] is None or not said["created"]:
                    continue
                user = self.person(item["user_id"])
                given[item["user_id"]] = said["variant_key"]
                self._assigned(number, user, said, item.get("attributes"))
                if item["expose"]:
                    at = datetime.fromisoformat(said["assigned_at"])
                    made = {
                        "id": f"of {user}",
                        "user_id": user,
                        "event_type": "exposure",
                        "experiment": life.key,
                    }
                    self._write_down(made, at)
        return given

    def _items(self, path: str, items: list[Json]) -> list[Json]:
        """What is said of each; 422 where each is refused."""
        answer = self._api.post(path, json=items)
        assert answer.status_code in (200, 422), answer.text
        found: list[Json] = answer.json()["items"]
        return found

    def person(self, user: str) -> str:
        """Whose id it is."""
        return next((row["user_id"] for row in self._alive_links() if row["anonymous_id"] == user), user)

    def _assigned(self, number: int, user: str, said: Json, attributes: Json | None) -> None:
        self._variants[number, user] = said["variant_key"]
        self.assignments.append(
            {
                "experiment_id": number,
                "user_id": user,
                "variant_key": said["variant_key"],
                "version": said["version"],
                "assigned_at": datetime.fromisoformat(said["assigned_at"]),
                "attributes": "" if attributes is None else json.dumps(attributes),
                "received_at": datetime.now(UTC),
            }
        )

    def send(self, events: Iterable[Json]) -> None:
        """Events with ids and times. What was sent before must be told to be a duplicate."""
        for some in _some(events):
            for event, said in zip(some, self._items("/v1/events", some), strict=True):
                key = event["timestamp"][:10], event["id"]
                if said["status"] == "rejected":
                    self.refused.append(f"{said['code']}: {event['id']}")
                    continue
                known = key in self._ids
                assert said["status"] == ("duplicate" if known else "accepted"), (said, event)
                if not known:
                    self._ids.add(key)
                    self._write_down(event, datetime.fromisoformat(event["timestamp"]))

    def _write_down(self, event: Json, at: datetime) -> None:
        key = event.get("experiment")
        number = self.told[key].number if key else 0
        properties = event.get("properties")
        self.events.append(
            {
                "event_id": event["id"],
                "experiment_id": number,
                "user_id": event["user_id"],
                "event_type": event["event_type"],
                "variant_key": self._variants.get((number, event["user_id"]), ""),
                "session_id": event.get("session_id", ""),
                "timestamp": at,
                "value": Decimal(event.get("value", 0)),
                "properties": "" if properties is None else json.dumps(properties),
                "received_at": datetime.now(UTC),
                "sent_at": None,  # no Sent-At is sent
                "clock_offset": 0,
                "app_version": event.get("app_version", ""),
            }
        )

    def link(self, anonymous: str, person: str, unit_type: str = "user") -> Json:
        """The person takes over what the anonymous id alone has; what the API says of it must be that."""
        adopted = []
        number_of = {told.number: key for key, told in self.told.items()}
        for row in [row for row in self._alive() if row["user_id"] == anonymous]:
            place = row["experiment_id"], person
            if place not in self._variants:
                self._variants[place] = row["variant_key"]
                self.assignments.append(
                    row | {"user_id": person, "attributes": "", "received_at": datetime.now(UTC)}
                )
                adopted.append(number_of[row["experiment_id"]])
        body = {"anonymous_id": anonymous, "user_id": person, "unit_type": unit_type}
        said: Json = _good(self._api.post("/v1/users/links", json=body)).json()
        assert sorted(said["adopted"]) == sorted(adopted), (said, adopted)
        self.links.append({"anonymous_id": anonymous, "user_id": person, "received_at": datetime.now(UTC)})
        return said

    def erase(self, user: str, unit_type: str = "user") -> None:
        """Wait until only retention is left of it. The anonymous ids that are linked with a person go with it."""
        said = _good(self._api.delete(f"/v1/users/{user}", params={"unit_type": unit_type})).json()
        at = datetime.now(UTC)
        gone = {user} | {row["anonymous_id"] for row in self._alive_links() if row["user_id"] == user}
        self.erasures += [{"user_id": one, "erased_at": at} for one in sorted(gone)]
        for place in [place for place in self._variants if place[1] in gone]:
            del self._variants[place]
        self._ids -= {(_day(row), row["event_id"]) for row in self.events if row["user_id"] in gone}
        self._pending = said["id"]

    def until_erased(self) -> None:
        """Wait until nothing but retention is left of the last erasure."""
        path = f"/v1/erasures/{self._pending}"
        until(lambda: self.get(path)["state"] in ("retained", "closed"), "the erasures are carried out")

    def _alive(self) -> list[Row]:
        return [row for row in self.assignments if row["received_at"] > self._erased(row["user_id"])]

    def _alive_links(self) -> list[Row]:
        return [
            row
            for row in self.links
            if row["received_at"] > max(self._erased(row["user_id"]), self._erased(row["anonymous_id"]))
        ]

    def _erased(self, user: str) -> datetime:
        return max(
            (row["erased_at"] for row in self.erasures if row["user_id"] == user),
            default=datetime.min.replace(tzinfo=UTC),
        )


def _good(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer


def _day(event: Row) -> str:
    day: str = event["timestamp"].date().isoformat()
    return day


def _some(items: Iterable[Item]) -> Iterator[list[Item]]:
    """As many at a time as one request takes along."""
    left = iter(items)
    while some := list(islice(left, AT_ONCE)):
        yield some
