"""What is told of a start, and what ends it."""

from __future__ import annotations

import pytest

from neonblue.settings import Settings
from neonblue.stack import catalogue
from neonblue.stack.supervisor.board import State, Status
from neonblue.stack.supervisor.progress import Progress, describe, of

NEEDED = {"postgres", "api"}


def progress(**states: State) -> Progress:
    return of([Status(name, state) for name, state in states.items()], NEEDED)


def test_events_need_the_api_and_what_it_waits_for() -> None:
    nodes = catalogue.nodes(Settings(), lambda _: None)

    assert catalogue.needed(nodes) == {"api", "postgres", "postgres-schema", "valkey"}
    assert catalogue.needed(nodes[:2]) == {node.name for node in nodes[:2]}


def test_a_late_dagster_keeps_nobody_from_serving() -> None:
    found = progress(postgres=State.READY, api=State.READY, dagster=State.STARTING)

    assert (found.ready, found.serves, found.settled, found.broken) == (False, True, False, None)
    assert [status.name for status in found.late] == ["dagster"]


def test_what_fails_beside_the_api_ends_nothing() -> None:
    found = progress(postgres=State.READY, api=State.READY, connect=State.FAILED, connector=State.WAITING)

    assert (found.serves, found.settled, found.broken) == (True, True, None)
    assert [status.name for status in found.failed] == ["connect"]


def test_what_the_api_needs_and_will_never_get_ends_the_start() -> None:
    found = progress(postgres=State.FAILED, api=State.WAITING, dagster=State.STARTING)

    assert found.broken is not None
    assert found.broken.name == "postgres"
    assert not found.serves


@pytest.mark.parametrize("state", [State.RESTARTING, State.UNREADY, State.PREPARING])
def test_what_is_on_its_way_is_late_and_not_settled(state: State) -> None:
    found = progress(postgres=State.READY, api=state, connect=State.FAILED)

    assert (found.settled, [status.name for status in found.late]) == (False, ["api"])


def test_a_line_names_the_service_the_time_the_reason_and_the_log() -> None:
    late = Status("dagster", State.STARTING, since=100.0, detail="the definitions are not loaded")
    failed = Status("connector", State.FAILED, kind="step", detail="refused")

    assert describe(late, 412.4) == (
        "dagster: starting for 312 s: the definitions are not loaded; see 'neonblue logs dagster'"
    )
    assert describe(failed) == "connector: failed for good: refused; see 'neonblue logs connector'"


def test_a_line_says_how_often_a_late_service_was_started_again() -> None:
    late = Status("dagster-code", State.STARTING, since=100.0, restarts=2, detail="loading")

    assert describe(late, 100.0).startswith("dagster-code: starting for 0 s, started again 2 times: loading")
