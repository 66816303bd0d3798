"""How dbt is called, and the hour's run."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dagster import get_dagster_logger

from orchestration.building import arguments
from orchestration.defs.warehouse.assets import chosen_days
from orchestration.defs.warehouse.translator import ModelTranslator
from orchestration.partitions import days, today
from orchestration.tags import DAYS_TAG, REBUILD_TAG


def test_chosen_days_are_rebuilt_exactly_and_scheduled_runs_find_the_touched_ones() -> None:
    chosen = arguments(["2026-02-01", "2026-02-02"])

    assert chosen[:2] == ["build", "--exclude-resource-type"]
    assert chosen[-2] == "--vars"
    assert json.loads(chosen[-1]) == {"days": ["2026-02-01", "2026-02-02"]}
    assert arguments(None) == chosen[:-2]


def test_a_run_builds_its_partitions_unless_its_tags_name_days_or_leave_them_to_dbt() -> None:
    partitions = ["2026-02-03"]

    assert chosen_days({}, partitions) == partitions
    assert chosen_days({REBUILD_TAG: "touched"}, partitions) is None
    assert chosen_days({REBUILD_TAG: "touched", DAYS_TAG: "2026-02-01,2026-02-09"}, partitions) == [
        "2026-02-01",
        "2026-02-09",
    ]


def test_a_run_for_the_open_day_alone_builds_what_was_touched_where_it_looks_for_that() -> None:
    open_day, before = "2026-02-03", "2026-02-02"

    assert chosen_days({}, [open_day], open_day) is None
    assert chosen_days({}, [before], open_day) == [before]
    assert chosen_days({}, [before, open_day], open_day) == [before, open_day]
    assert chosen_days({DAYS_TAG: open_day}, [open_day], open_day) == [open_day]
    assert chosen_days({}, [open_day], None) == [open_day]


def test_a_model_is_described_without_its_sql() -> None:
    described = {"description": "One row per day.", "raw_code": "{{ some_macro() }}", "name": "a"}

    assert ModelTranslator().get_description(described) == "One row per day."
    assert ModelTranslator().get_description({"name": "a"}) == ""


def test_the_open_day_is_the_utc_day_and_has_a_partition() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-2)))

    assert today(late) == "2026-03-02"
    assert days.has_partition_key(today(datetime.now(UTC)))


def test_a_model_whose_columns_cannot_be_followed_is_told_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logger = get_dagster_logger()
    try:
        raise ValueError("the parser's own words")
    except ValueError:
        told = "An error occurred while building column lineage metadata for the dbt resource `models/a.sql`."
        logger.warning(f"{told} Lineage metadata will not be included.\n\nException: …", exc_info=True)
        logger.warning("something else", exc_info=True)

    lineage, other = caplog.records
    assert lineage.getMessage() == f"{told} Lineage metadata will not be included."
    assert (lineage.levelno, lineage.exc_info) == (logging.DEBUG, None)
    assert (other.levelno, other.exc_info is None) == (logging.WARNING, False)
