"""What the API accepts, walked through: every status and step, every kind of metric, every shape of an event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

import httpx

from api.metric_catalogue.definitions import LONGEST_WINDOW_SECONDS
from neonblue.contract.identifiers import uuid7
from neonblue.contract.life_cycle import Status, Step, legal_steps
from neonblue.contract.metric_types import CAPPED, METRIC_TYPES

Json = dict[str, Any]

AGGREGATIONS = {name: of_type.aggregations for name, of_type in METRIC_TYPES.items()}

ARMS: list[Json] = [{"key": "control", "is_control": True}, {"key": "b"}, {"key": "c \u2028·'\"\\ {{x}}"}]
BOUGHT: Json = {"key": "bought", "type": "proportion", "event_type": "purchase", "aggregation": "any"}
_MOST = "999999999999.999999"
_WAYS: dict[Status, tuple[Step, ...]] = {
    Status.DRAFT: (),
    Status.SCHEDULED: (Step.SCHEDULE,),
    Status.RUNNING: (Step.START,),
    Status.PAUSED: (Step.START, Step.PAUSE),
    Status.CONCLUDED: (Step.START, Step.CONCLUDE),
    Status.ARCHIVED: (Step.START, Step.CONCLUDE, Step.ARCHIVE),
}
DECISIONS: tuple[Json | None, ...] = (
    None,
    {"outcome": "ship", "variant_key": "b", "reason": "better"},
    {"outcome": "roll_back", "reason": "worse"},
    {"outcome": "inconclusive", "reason": "neither"},
)


class Experiments:
    """Experiments over HTTP. Each that runs gets a unit with an exposure."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def create(self, key: str, **fields: Any) -> Json:
        body = {"key": key, "variants": ARMS, "metrics": [BOUGHT], **fields}
        return _good(self._api.post("/v1/experiments", json=body))

    def take(self, key: str, step: Step, body: Json | None = None) -> httpx.Response:
        forced = {"force": True, "reason": "nobody else asks for it"} if step is Step.ARCHIVE else None
        answer = self._api.post(f"/v1/experiments/{key}/{step}", json=body or forced)
        if answer.is_success and step is Step.START:
            self.enter(key, f"of-{key}")
        return answer

    def enter(self, key: str, *users: str, **fields: Any) -> list[Json]:
        items = [{"experiment": key, "user_id": user, **fields} for user in users]
        found: list[Json] = _good(self._api.post("/v1/assignments", json=items))["items"]
        return found

    def at(self, key: str, status: Status, **fields: Any) -> None:
        """A new experiment in this status."""
        start = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        self.create(key, scheduled_start_at=start, **fields)
        for step in _WAYS[status]:
            _good(self.take(key, step))

    def patch(self, key: str, **fields: Any) -> httpx.Response:
        return self._api.patch(f"/v1/experiments/{key}", json=fields, headers=self._seen(key))

    def delete(self, key: str) -> None:
        self._api.delete(f"/v1/experiments/{key}", headers=self._seen(key)).raise_for_status()

    def _seen(self, key: str) -> Json:
        return {"if-match": _good_response(self._api.get(f"/v1/experiments/{key}")).headers["etag"]}

    def walk(self) -> None:
        """Every status × every step, every change, every decision, and keys that are used again."""
        for status in Status:
            for step in Step:
                key = f"{status}-{step}"
                self.at(key, status)
                assert self.take(key, step).is_success == (step in legal_steps(status)), key
            self.at(f"{status}-changed", status)
            for fields in (
                {"name": "other", "tags": ["a"]},
                {"allocation": 10_000, "planned_units": 100},
                {"variants": [{"key": "b", "active": False}]},
                {"metrics": []},
                {"population": "assigned", "unit_type": "device"},
                {"decision": DECISIONS[2]},
            ):
                assert self.patch(f"{status}-changed", **fields).status_code in (200, 409, 422)
        for number, decision in enumerate(DECISIONS):
            self.at(f"decided-{number}", Status.PAUSED)
            _good(self.take(f"decided-{number}", Step.CONCLUDE, decision))
        self.at("planned", Status.RUNNING, planned_units=1_000_000)
        self.at("ramped", Status.RUNNING, allocation=0)
        for allocation in (1, 5_000, 10_000):
            _good(self.patch("ramped", allocation=allocation))
            self.enter("ramped", *(f"at-{allocation}-{unit}" for unit in range(4)))
        # A draft that was changed often and deleted, whose key another experiment has now.
        self.create("again")
        for number in range(4):
            _good(self.patch("again", name=f"name {number}"))
        self.delete("again")
        self.at("again", Status.RUNNING)
        self.at("thrown-away", Status.DRAFT)
        self.delete("thrown-away")


def metrics() -> Iterator[Json]:
    """Every type with every aggregation, in turn with every window, cap, filter, role and direction."""
    last = LONGEST_WINDOW_SECONDS
    windows = cycle([(0, None), (0, 1), (1, 2), (0, last), (last - 1, last), (last, None), (0, 86_400)])
    caps = cycle(
        [{"cap": "0.000001"}, {"cap": _MOST}, {"cap_percentile": "0.000001"}, {"cap_percentile": "0.999999"}]
    )
    quantiles = cycle(["0.000001", "0.5", "0.999999"])
    filters = cycle(
        [
            None,
            {"page": "/a"},
            {"ключ ' \" \\ {{x}}": ""},
            {"number": "7", "flag": "true"},
            {"deep": '{"a":1}'},
        ]
    )
    roles = cycle(["primary", "secondary", "guardrail"])
    directions = cycle(["increase", "decrease"])
    number = 0
    for kind, aggregations in AGGREGATIONS.items():
        for aggregation in aggregations:
            for capped in ({}, *(next(caps) for _ in range(4 if kind in CAPPED else 0))):
                for denominator in ("count", "sum") if kind == "ratio" else (None,):
                    for _ in range(3):
                        start, end = next(windows)
                        if kind == "retention":
                            start, end = max(start, 1), end or last
                            end = max(end, start + 1)
                        number += 1
                        made: Json = {
                            "key": f"{kind} {aggregation} {number} é'\"\\",
                            "type": kind,
                            "aggregation": aggregation,
                            "event_type": ("purchase", "exposure", "weird ' \" \\ \u2028 {{x}}")[number % 3],
                            "role": next(roles),
                            "direction": next(directions),
                            "window_start_seconds": min(start, last),
                            "window_seconds": None if end is None else min(end, last),
                            "property_filter": next(filters),
                            **capped,
                        }
                        if kind == "retention" and made["window_start_seconds"] == last:
                            made["window_start_seconds"] = last - 1
                        if kind == "quantile":
                            made["quantile"] = next(quantiles)
                        if denominator is not None:
                            made["denominator"] = {"event_type": "purchase", "aggregation": denominator}
                        if made["role"] == "guardrail":
                            made["margin_relative"] = bool(number % 2)
                            made["margin"] = "0.999999" if number % 4 else "0.000001"
                        yield made


def events(
    user: str, at: datetime, now: datetime, experiment: str | None = None, **fields: Any
) -> Iterator[Json]:
    """Every shape of an accepted event of one unit, from the time `at` on; `now` is the latest there can be."""
    named: Json = fields | ({} if experiment is None else {"experiment": experiment})
    shapes: list[Json] = [
        {"event_type": "page_view", "properties": {"page": "/a"}, "session_id": "s ' \" \\ 🛒"},
        {"event_type": "purchase", "value": _MOST, "properties": {"number": 7, "flag": True}},
        {"event_type": "purchase", "value": f"-{_MOST}", "properties": {"deep": {"a": 1}, "page": "/a"}},
        {"event_type": "purchase", "value": 0.1, "properties": {"number": 7.0, "flag": "true", "page": None}},
        {
            "event_type": "purchase",
            "value": "0.000001",
            "properties": {"number": -(2**63), "flag": 2**63 - 1},
        },
        {"event_type": "purchase", "properties": {"number": 1e29, "page": 1e-29, "deep": [[[[1.5]]]]}},
        {"event_type": "purchase", "properties": {"ключ ' \" \\ {{x}}": "", "": "empty key", "page": "/a"}},
        {"event_type": "purchase", "properties": {"page": "x" * 60_000}},
        {"event_type": "weird ' \" \\ \u2028 {{x}}", "value": "5", "properties": {}},
        {"event_type": "e" * 256, "properties": {f"key {n}": n for n in range(500)}},
        {"event_type": "exposure", "properties": {"page": "/a"}},
        {"event_type": "exposure", "value": "12.5"},
    ]
    for place, shape in enumerate(shapes):
        yield {
            "id": str(uuid4()),
            "user_id": user,
            "timestamp": _text(at + timedelta(seconds=place)),
            **shape,
            **named,
        }
    at_once = _text(at + timedelta(seconds=1))
    yield {
        "id": str(uuid4()),
        "user_id": user,
        "event_type": "purchase",
        "timestamp": at_once,
        "value": "1",
        **named,
    }
    # The version says 7, the variant of the UUID does not: its day is the timestamp's.
    odd = f"{str(uuid4())[:14]}7{str(uuid4())[15:19]}0{str(uuid4())[20:]}"
    yield {"id": odd, "user_id": user, "event_type": "click", "timestamp": at_once, **named}
    carried = uuid7(int(now.timestamp() * 1000))
    yield {"id": carried, "user_id": user, "event_type": "click", **named}
    other_day = uuid7(int((now - timedelta(days=2)).timestamp() * 1000))
    yield {"id": other_day, "user_id": user, "event_type": "click", "timestamp": _text(now), **named}


def edges(user: str, now: datetime) -> Iterator[Json]:
    """The oldest and the latest times there can be, repeats, and one id on two days."""
    for moment in (now - timedelta(days=89, hours=23), now, now + timedelta(seconds=290)):
        yield {
            "id": str(uuid4()),
            "user_id": user,
            "event_type": "purchase",
            "timestamp": _text(moment),
            "value": "3",
        }
    yield {"user_id": user, "event_type": "purchase"}
    twice = {
        "id": str(uuid4()),
        "user_id": user,
        "event_type": "purchase",
        "timestamp": _text(now),
        "value": "4",
    }
    yield twice
    yield twice
    for days in (0, 1, 2):
        yield {
            **twice,
            "id": str(UUID(int=7)),
            "timestamp": _text(now - timedelta(days=days)),
            "value": str(days),
        }
    # Of nobody who was assigned, and of an experiment that has not started.
    yield {"user_id": "a stranger", "event_type": "exposure", "experiment": "draft-changed"}
    yield {"user_id": "a stranger", "event_type": "exposure", "experiment": "running-changed"}


def _text(moment: datetime) -> str:
    return moment.isoformat()


def _good(answer: httpx.Response) -> Json:
    found: Json = _good_response(answer).json()
    return found


def _good_response(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer
