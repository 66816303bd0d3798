"""What the API was asked: kept until it is dealt with, and not beyond the day for which the API knows its key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from dagster import DagsterInstance

from neonblue.alerting import Alert
from neonblue.contract.messages import ExperimentMessage
from neonblue.guardrails.breaches import Breach
from orchestration import asking
from orchestration.asking import Asked

BREACH = Breach("checkout", "errors", "b", 5, 6, 0.1, 0.2, "errors is breached in b", "roll_back")
CHECKOUT = ExperimentMessage(
    experiment_id=7,
    key="checkout",
    source="internal",
    unit_type="user",
    population="exposed",
    status="running",
    version=3,
    salt="s",
    allocation=10_000,
    variants=[],
    metrics=[],
    received_at="2026-03-01T00:00:00.000000Z",
)


def asked(step: str = "pause") -> Asked:
    return Asked.now(
        CHECKOUT,
        step,
        {"reason": "r"},
        action="pause",
        found=[BREACH],
        watermark=datetime(2026, 3, 1, tzinfo=UTC),
        alert=Alert("s", "t", "b"),
    )


def test_what_is_asked_is_kept_whole_until_it_is_dealt_with_and_by_its_sensor_alone() -> None:
    first, second = asked(), asked("roll_back")
    with DagsterInstance.ephemeral() as instance:
        asking.ask(instance, "guardrails", first)
        asking.ask(instance, "guardrails", second)
        asking.ask(instance, "ramps", asked("ramp/due"))
        assert asking.unanswered(instance, "guardrails") == [first, second]
        asking.answered(instance, "guardrails", first)
        assert asking.unanswered(instance, "guardrails") == [second]
        asking.answered(instance, "guardrails", second)
        assert asking.unanswered(instance, "guardrails") == []
        assert len(asking.unanswered(instance, "ramps")) == 1


def test_no_two_are_one() -> None:
    assert asked().id != asked().id


@pytest.mark.parametrize(("hours", "kept"), [(19, True), (21, False)])
def test_what_the_api_may_have_forgotten_is_not_asked_again(hours: int, kept: bool) -> None:
    old = msgspec.structs.replace(asked(), at=datetime.now(UTC) - timedelta(hours=hours))
    with DagsterInstance.ephemeral() as instance:
        asking.ask(instance, "guardrails", old)
        for _ in range(2):
            assert asking.unanswered(instance, "guardrails") == [old] * kept
