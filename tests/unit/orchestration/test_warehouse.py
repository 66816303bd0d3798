"""How dbt is called, and the hour's run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from orchestration.defs.warehouse.assets import Rebuild, build_arguments
from orchestration.partitions import days, today


def test_chosen_days_are_rebuilt_exactly_and_scheduled_runs_find_the_touched_ones() -> None:
    chosen = build_arguments(Rebuild.SELECTED, ["2026-02-01", "2026-02-02"])

    assert chosen[:2] == ["build", "--exclude-resource-type"]
    assert chosen[-2] == "--vars"
    assert json.loads(chosen[-1]) == {"days": ["2026-02-01", "2026-02-02"]}
    assert build_arguments(Rebuild.TOUCHED, ["2026-02-01"]) == chosen[:-2]


def test_the_open_day_is_the_utc_day_and_has_a_partition() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-2)))

    assert today(late) == "2026-03-02"
    assert days.has_partition_key(today(datetime.now(UTC)))
