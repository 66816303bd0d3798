"""`neonblue build` on the whole stack: what the hour does, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from neonblue.clickhouse.client import connect
from neonblue.settings import Settings
from tests.end_to_end.conftest import CommandLine
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)
DAYS = [datetime.now(UTC).date() - timedelta(days=ago) for ago in (3, 1)]


def built_days(settings: Settings, since: datetime) -> set[str]:
    """The days of which marts were built since then."""
    with connect(settings.clickhouse) as client:
        rows = client.query(
            "SELECT DISTINCT toString(day) FROM partition_builds "
            "WHERE model = 'daily_metrics' AND built_at >= {since:DateTime64(3, 'UTC')}",
            parameters={"since": since},
        ).result_rows
    return {str(day) for (day,) in rows}


def stored(settings: Settings) -> int:
    with connect(settings.clickhouse) as client:
        return int(client.query("SELECT count() FROM events_processed").result_rows[0][0])


def test_what_was_touched_is_built_then_exactly_the_days_that_are_named(
    settings: Settings, api: httpx.Client, neonblue: CommandLine
) -> None:
    event = {"user_id": "u", "event_type": "visit"}
    before = stored(settings)
    api.post("/v1/events", json=[event] * 10).raise_for_status()
    until(lambda: stored(settings) >= before + 10, "the events are stored")

    touched = neonblue.run("build")
    began = datetime.now(UTC)
    named = neonblue.run("build", *(part for day in DAYS for part in ("--days", day.isoformat())))

    for done in (touched, named):
        assert "built in " in done.stdout
        assert " models built; " in done.stdout
        assert ", 0 failed" in done.stdout
        assert f"see {settings.dagster.address}/runs/" in done.stdout
        assert "models and their tests" in done.stderr
    assert built_days(settings, began) == {day.isoformat() for day in DAYS}
