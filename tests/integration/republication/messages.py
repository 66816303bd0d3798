"""Everything that outbox rows tell, message by message, and people and experiments that cause every kind."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from clickhouse_connect.driver.client import Client

from tests.integration.api.life_cycle import VARIANTS, Json, draft, patch, started, step

_MESSAGES = """
SELECT replace(aggregate_type, '_batch', ''), message::text
FROM outbox_events CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(payload) WHEN 'array' THEN payload ELSE jsonb_build_array(payload) END
) AS message
WHERE id > %s
"""
Messages = Counter[tuple[str, str]]
"""How often each message is in the outbox: what it is about, and its JSON."""


def messages(dsn: str, after: int = 0) -> Messages:
    with psycopg.connect(dsn) as connection:
        return Counter(connection.execute(_MESSAGES, (after,)).fetchall())


def last_row(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT coalesce(max(id), 0) FROM outbox_events").fetchone()
    assert row is not None
    return int(row[0])


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def every_experiment(api: httpx.Client) -> list[Json]:
    """Experiments in every state, with everything that a snapshot may hold. The first two run."""
    layer, holdout, metric = (f"{name}-{uuid4()}" for name in ("layer", "holdout", "metric"))
    ok(api.post("/v1/layers", json={"key": layer}))
    revenue = {
        "type": "mean",
        "event_type": "purchase",
        "aggregation": "sum",
        "cap": "500",
        "minimum_effect": "0.02",
    }
    ok(api.post("/v1/metrics", json={"key": metric} | revenue))
    running = started(
        api,
        name='Ünïcode "quoted" \\ name',
        hypothesis="it helps",
        owner="team",
        tags=["one", "two"],
        layer={"key": layer, "share": 10_000},
        metrics=[{"key": metric, "role": "guardrail", "margin": "0.05"}],
        planned_units=1_000,
        planned_days=14,
    )
    ok(api.post("/v1/holdouts", json={"key": holdout, "share": 100}))
    external = started(api, source="external", metrics=[])
    targeted = started(api, targeting='attributes.plan == "free"', holdouts=[])
    draft(api)
    scheduled = draft(
        api, scheduled_start_at="2100-01-01T00:00:00Z", scheduled_stop_at="2100-02-01T00:00:00Z"
    )
    ok(step(api, scheduled["key"], "schedule"))
    paused = started(api)
    ok(step(api, paused["key"], "pause"))
    changed = started(api)
    ok(
        patch(
            api,
            changed,
            {"name": "later", "variants": [*VARIANTS[:2], {"key": "c", "weight": 2, "active": False}]},
        )
    )
    archived = started(api)
    decision = {"outcome": "ship", "variant_key": "b", "reason": "it was better"}
    ok(step(api, archived["key"], "conclude", decision))
    ok(step(api, archived["key"], "archive"))
    return [running, external, targeted]


def deleted_draft(api: httpx.Client) -> Json:
    made = draft(api)
    ok(api.delete(f"/v1/experiments/{made['key']}"))
    return made


def assign(api: httpx.Client, experiment: Json, user: str, **fields: object) -> Json:
    body = {"experiment": experiment["key"], "user_id": user} | fields
    answer: Json = ok(api.post("/v1/assignments", json=body))
    return answer


def send(api: httpx.Client, *events: Json) -> None:
    answer = ok(api.post("/v1/events", json=list(events)))
    assert answer["accepted"] == len(events), answer


def every_person(api: httpx.Client, running: Json, external: Json, targeted: Json) -> str:
    """People who were assigned in every way, with linked ids and events of every field; one of them."""
    person, device, plain, carried, imported = (f"u-{uuid4()}" for _ in range(5))
    attributes = {
        "plan": "free",
        "age": 41,
        "score": 0.1,
        "tags": ["a", "é"],
        "deep": {"no": None, "yes": True},
    }
    assign(api, targeted, person, attributes=attributes)
    assign(api, targeted, person, attributes={"plan": "free", "age": 42})  # the first ones stay
    assign(api, targeted, device, attributes={"plan": "free"}, expose=False)
    ok(api.post("/v1/users/links", json={"anonymous_id": f"anonymous-{device}", "user_id": device}))
    assign(api, running, f"before-{person}")
    ok(api.post("/v1/users/links", json={"anonymous_id": f"before-{person}", "user_id": person}))
    history = "2019-05-06T07:08:09.000001Z"
    assign(api, external, imported, variant_key="b", timestamp=history)
    send(
        api,
        {"event_type": "exposure", "experiment": running["key"], "user_id": plain},
        {"event_type": "purchase", "user_id": imported, "experiment": external["key"], "timestamp": history}
        | {"id": str(uuid4()), "value": -0.000001},
        {
            "event_type": "page_view",
            "user_id": person,
            "session_id": "s\\1",
            "app_version": "5.2.0",
            "value": 123456789012.125,
        }
        | {"properties": {"page": "/", "n": 9007199254740993, "x": 1e-7, "z": [], "tab": "a\tb\\n"}},
    )
    carry(api, running, carried)
    return person


def carry(api: httpx.Client, experiment: Json, unit: str) -> None:
    """An exposure that brings its assignment, as a client makes it that could not reach the API."""
    for variant in ("a", "b", "c"):
        exposure = {"event_type": "exposure", "experiment": experiment["key"], "user_id": unit}
        send(api, exposure | {"variant_key": variant, "configuration_version": experiment["version"]})


TABLES = {
    "events_processed": "* EXCEPT (ingested_delay, _partition, _offset)",
    "recent_events": "*",
    "assignments": "* EXCEPT (ingested_at, _partition, _offset)",
    "experiments": "* EXCEPT (ingested_at, _partition, _offset)",
    "user_links": "* EXCEPT (ingested_at, _partition, _offset)",
    "erased_users": "* EXCEPT (ingested_at, _partition, _offset)",
}
"""What a message leaves in ClickHouse, by table, without when and where it came."""


def contents(client: Client) -> dict[str, Counter[str]]:
    """The rows of each table."""
    return {
        table: Counter(str(row) for row in client.query(f"SELECT {columns} FROM {table} FINAL").result_rows)
        for table, columns in TABLES.items()
    }
