"""Of two erased people with one 64-bit key each is dropped up to the own erasure, and nobody else with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.colliding import HIGHEST, LOWEST, digest, insert_erased
from tests.integration.dbt_project.conftest import Warehouse
from tests.integration.warehouse import envelope, event, rows

ERASED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
HOUR = timedelta(hours=1)
SEEN = {
    "stg_events": "SELECT user_id, event_type FROM stg_events ORDER BY 1, 2",
    "stg_recent_events": "SELECT user_id, event_type FROM stg_recent_events ORDER BY 1, 2",
    "stg_assignments": "SELECT user_id, variant_key FROM stg_assignments ORDER BY 1, 2",
}


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def assignment(user_id: str, experiment_id: int, variant_key: str, at: datetime) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "experiment_id": experiment_id,
        "unit_type": "user",
        "user_id": user_id,
        "variant_key": variant_key,
        "version": 1,
        "assigned_at": written(at),
        "attributes": None,
        "received_at": written(at),
    }


@pytest.mark.parametrize("foreign", [LOWEST, HIGHEST], ids=["before", "behind"])
@pytest.mark.parametrize("apart", [-HOUR / 4, HOUR / 4], ids=["earlier", "later"])
def test_each_of_two_is_dropped_up_to_the_own_erasure(
    warehouse: Warehouse, foreign: bytes, apart: timedelta
) -> None:
    times = {"old": ERASED - HOUR, "between": ERASED + HOUR / 8, "new": ERASED + HOUR}
    warehouse.topic.send(
        envelope(
            "event_batch",
            [
                event(user_id=user, event_type=name, timestamp=written(at), received_at=written(at))
                for user in ("gone", "namesake", "other")
                for name, at in times.items()
            ],
        ),
        envelope(
            "assignment_batch",
            [
                assignment(user, number, name, at)
                for user in ("gone", "namesake", "other")
                for number, (name, at) in enumerate(times.items(), 1)
            ],
        ),
    )
    people = {digest("gone"): ERASED, foreign: ERASED + apart}
    insert_erased(warehouse.client, "gone", dict(sorted(people.items())))
    # The namesake was not erased: somebody else of that key was.
    insert_erased(warehouse.client, "namesake", {foreign: ERASED + 2 * HOUR})

    warehouse.dbt("run", "--select", "path:models/staging")

    for table, query in SEEN.items():
        assert rows(warehouse.client, query) == [
            ("gone", "between"),
            ("gone", "new"),
            *((user, name) for user in ("namesake", "other") for name in ("between", "new", "old")),
        ], table


@pytest.mark.parametrize("foreign", [LOWEST, HIGHEST], ids=["before", "behind"])
def test_an_id_that_an_erased_person_used_first_is_free(warehouse: Warehouse, foreign: bytes) -> None:
    """Both rows have one id: the erased person's is none any more, so the other's is not set aside."""
    twin = "0198f2d0-2222-7000-8000-000000000001"
    now = datetime.now(UTC).replace(microsecond=0)
    start = datetime(now.year, now.month, now.day, tzinfo=UTC)
    warehouse.topic.send(
        envelope(
            "event_batch",
            [
                event(
                    id=twin, user_id=user, timestamp=written(start), received_at=written(start - HOUR + delay)
                )
                for user, delay in (("gone", timedelta()), ("other", HOUR / 2))
            ],
        )
    )
    insert_erased(warehouse.client, "gone", dict(sorted({digest("gone"): start, foreign: start}.items())))

    warehouse.dbt("run", "--select", "path:models/staging")

    assert rows(warehouse.client, "SELECT user_id FROM set_aside") == []
    assert rows(warehouse.client, "SELECT user_id FROM stg_events") == [("other",)]
