"""A whole stack that is watched: each part is seen, each metric of a rule is there, a stream that stands is told."""

from __future__ import annotations

import time

import pytest

from neonblue.monitoring.postgres import STREAMING
from neonblue.settings import Settings
from neonblue.stack.services.connect import credentials
from neonblue.stack.services.connector import Connector
from neonblue.stack.supervisor import probe
from tests.integration.stack.watched.watching import (
    MINUTE,
    NEEDED,
    Told,
    asked,
    messages,
    unwell,
    values,
)
from tests.unit.monitoring.rules import metrics, rules
from tests.waiting import until

pytestmark = NEEDED
SERVICES = None


def test_every_part_can_be_looked_at(settings: Settings) -> None:
    parts = {"stack", "connect", "postgres", "kafka", "clickhouse", "dagster"}
    until(
        lambda: values(settings, "neonblue_look_success", "source") == dict.fromkeys(parts, 1.0),
        "the exporter sees every part",
        120,
    )


def test_every_rule_names_metrics_that_there_are(settings: Settings) -> None:
    until(lambda: not unwell(settings), "every rule was evaluated", MINUTE)
    # As those that the first build makes.
    live = f"{settings.clickhouse.database}_live"
    probe.clickhouse(settings.clickhouse, f"CREATE DATABASE IF NOT EXISTS {live} ENGINE = Atomic")
    probe.clickhouse(
        settings.clickhouse,
        f"CREATE MATERIALIZED VIEW {live}.refreshed REFRESH EVERY 15 SECOND (x UInt8) ENGINE = Memory AS SELECT 1 AS x",
    )
    # That of a standby is told where there is one: see the tests of a deployment's pair of servers.
    wanted = {name for rule in rules() for name in metrics(rule["expr"])} - {STREAMING.name}

    def missing() -> set[str]:
        return wanted - set(asked(settings, "label/__name__/values"))

    deadline = time.monotonic() + 120
    while (left := missing()) and time.monotonic() < deadline:
        time.sleep(2)
    assert left == set()


def test_a_canary_flies_through_within_seconds(settings: Settings) -> None:
    until(
        lambda: 0 <= values(settings, "time() - neonblue_canary_sent_timestamp_seconds", "").get("", -1) < 45,
        "a heartbeat has arrived in ClickHouse",
        MINUTE,
    )
    assert 0 <= values(settings, "neonblue_canary_seconds", "")[""] < 10


def test_no_number_of_a_well_stack_is_an_alarm(settings: Settings) -> None:
    """But for what this machine itself lacks."""
    time.sleep(15)
    firing = {
        one["labels"]["alertname"] for one in asked(settings, "alerts")["alerts"] if one["state"] == "firing"
    }

    assert firing - {"DiskLow", "DiskFull", "DiskFilesLow", "DiskFilesFull", "DiskFillsUp"} == set()


def test_a_connector_that_is_paused_is_told_within_a_minute(
    settings: Settings, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = f"{settings.connect.address}/connectors/{settings.connect.connector}"
    with monkeypatch.context() as idle:
        idle.setattr(Connector, "mend", lambda _: None)
        probe.put(f"{connector}/pause", None, **credentials(settings.connect))
        until(
            lambda: messages(told, "NeonBlue: ConnectorNotRunning"),
            "that the connector does not run is told",
            MINUTE,
        )
