"""What an erased unit sent before its erasure is dropped as it is read, whatever it is read with and however often."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from api.erasures.clickhouse import Warehouse as Sweep
from tests.integration.colliding import HIGHEST, LOWEST, digest, insert_erased
from tests.integration.warehouse import Topic, envelope, event, rows

BEFORE, ERASED, AFTER = (f"2026-01-02T03:04:0{second}.000000Z" for second in (4, 5, 6))


def erasure(**fields: Any) -> bytes:
    return envelope(
        "user",
        {
            "schema_version": 1,
            "unit_type": "user",
            "user_id": "gone",
            "erased_at": ERASED,
            "received_at": ERASED,
            **fields,
        },
    )


def assignment(**fields: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": 3,
        "unit_type": "user",
        "user_id": "gone",
        "variant_key": "b",
        "version": 2,
        "assigned_at": BEFORE,
        "attributes": {"country": "IS"},
        "received_at": BEFORE,
        **fields,
    }


EVENTS = [
    event(user_id="gone", event_type="before", received_at=BEFORE),
    event(user_id="gone", event_type="at", received_at=ERASED),
    event(user_id="gone", event_type="after", received_at=AFTER),
    event(user_id="gone", event_type="device", unit_type="device", received_at=BEFORE),
    event(user_id="other", event_type="other", received_at=BEFORE),
]
ASSIGNMENTS = [
    assignment(),
    assignment(experiment_id=4, received_at=AFTER),
    assignment(user_id="other"),
]
EVENT_TYPES = "SELECT event_type FROM events_processed ORDER BY event_type"
UNITS = "SELECT user_id, experiment_id FROM assignments ORDER BY user_id"


def test_only_what_came_after_the_erasure_is_kept(clickhouse: Client, topic: Topic) -> None:
    topic.send(erasure())
    for _ in range(2):  # the second is a replay
        topic.send(envelope("event_batch", EVENTS), envelope("assignment_batch", ASSIGNMENTS))
        assert rows(clickhouse, EVENT_TYPES) == [("after",), ("device",), ("other",)]
        assert rows(clickhouse, UNITS) == [("gone", 4), ("other", 3)]
    assert rows(clickhouse, "SELECT count() FROM dead_letters") == [(0,)]


def test_the_newest_of_several_erasures_counts(clickhouse: Client, topic: Topic) -> None:
    topic.send(erasure(erased_at=AFTER), erasure())
    topic.send(envelope("event_batch", EVENTS))
    assert rows(clickhouse, EVENT_TYPES) == [("device",), ("other",)]


def test_the_list_of_the_erased_names_nobody(clickhouse: Client, topic: Topic) -> None:
    topic.send(erasure(user_id="a-very-special-id"))
    listed = rows(clickhouse, "SELECT * FROM erased_users")
    assert len(listed) == 1
    assert "a-very-special-id" not in str(listed)


def test_a_link_with_an_erased_id_is_dropped_whichever_of_the_two_it_is(
    clickhouse: Client, topic: Topic
) -> None:
    clickhouse.command("TRUNCATE TABLE user_links")

    def link(anonymous_id: str, user_id: str, received_at: str) -> bytes:
        ids = {"unit_type": "user", "anonymous_id": anonymous_id, "user_id": user_id}
        times = {"linked_at": received_at, "received_at": received_at}
        return envelope("user_link", {"schema_version": 1, **ids, **times}, event_type="USER_LINKED")

    topic.send(erasure())
    topic.send(
        link("gone", "a", BEFORE), link("b", "gone", BEFORE), link("c", "gone", AFTER), link("d", "e", BEFORE)
    )
    assert rows(clickhouse, "SELECT anonymous_id, user_id FROM user_links ORDER BY 1") == [
        ("c", "gone"),
        ("d", "e"),
    ]


@pytest.mark.parametrize("foreign", [LOWEST, HIGHEST], ids=["before", "behind"])
@pytest.mark.parametrize("foreign_erased", [BEFORE, AFTER], ids=["earlier", "later"])
def test_of_two_erased_with_one_key_each_is_dropped_up_to_the_own_erasure(
    clickhouse: Client, topic: Topic, foreign: bytes, foreign_erased: str
) -> None:
    moments = {digest("gone"): ERASED, foreign: foreign_erased}
    people = {person: datetime.fromisoformat(at) for person, at in sorted(moments.items())}
    insert_erased(clickhouse, "gone", people)
    insert_erased(clickhouse, "other", {foreign: datetime.fromisoformat(AFTER)})

    topic.send(envelope("event_batch", EVENTS), envelope("assignment_batch", ASSIGNMENTS))

    assert rows(clickhouse, EVENT_TYPES) == [("after",), ("device",), ("other",)]
    assert rows(clickhouse, UNITS) == [("gone", 4), ("other", 3)]


@pytest.mark.parametrize("place", [1, -1], ids=["one way round", "the other"])
def test_the_sweep_takes_each_of_two_with_one_key_up_to_the_own_erasure(
    clickhouse: Client, topic: Topic, place: int
) -> None:
    topic.send(envelope("event_batch", EVENTS), envelope("assignment_batch", ASSIGNMENTS))
    insert_erased(
        clickhouse,
        "gone",
        {digest("gone"): datetime.fromisoformat(ERASED), HIGHEST: datetime.fromisoformat(AFTER)},
    )
    sweep = Sweep(clickhouse)

    sweep.sweep(list(sweep.arrived({digest("gone"): "user", HIGHEST: "user"}).values())[::place])

    assert rows(clickhouse, EVENT_TYPES) == [("after",), ("device",), ("other",)]
    assert rows(clickhouse, UNITS) == [("gone", 4), ("other", 3)]
