"""A repair begins when a loss is noted, holds up nobody, and is tried again until both stores are equal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neonblue.settings import Settings
from neonblue.stack.errors import ServiceError
from neonblue.stack.services import repair
from neonblue.stack.services.clickhouse import ClickHouseSchema
from neonblue.stack.services.repair import Outcome, StreamRepair
from neonblue.stack.services.stream_memory import StreamMemory

REASON = "the topic experiments_events was deleted"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StreamRepair:
    monkeypatch.setattr(repair, "_FIRST_DELAY", 0.01)
    return StreamRepair(Settings(data_dir=tmp_path))


def looks(node: StreamRepair, condition: Callable[[], object]) -> None:
    """As its runner does, until the condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        try:
            node.check()
        except ServiceError:
            node.mend()
        time.sleep(0.01)


def pending(tmp_path: Path) -> tuple[str, ...]:
    return StreamMemory(tmp_path).read().to_repair


def test_without_a_loss_nothing_is_done(node: StreamRepair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "publish_again", pytest.fail)
    node.run()
    node.check()


def test_it_is_repeated_until_equal_and_told_meanwhile(
    node: StreamRepair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([ConnectionError("ClickHouse is away"), Outcome(7, False), Outcome(0, True)])

    def publish_again(_: Settings) -> Outcome:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(repair, "publish_again", publish_again)
    StreamMemory(tmp_path).repair(REASON)

    with pytest.raises(ServiceError, match=rf"{REASON}.*'neonblue reconcile --repair' does it by hand"):
        node.check()
    looks(node, lambda: not pending(tmp_path))
    node.check()
    assert next(answers, None) is None


def test_it_never_waits_and_what_happens_meanwhile_is_repaired_next(
    node: StreamRepair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, times = threading.Event(), threading.Event(), []

    def publish_again(_: Settings) -> Outcome:
        times.append(1)
        begun.set()
        assert go_on.wait(20)
        return Outcome(1, True)

    monkeypatch.setattr(repair, "publish_again", publish_again)
    StreamMemory(tmp_path).repair(REASON)
    looks(node, begun.is_set)
    for _ in range(5):
        node.mend()
    assert times == [1]

    StreamMemory(tmp_path).repair("a view was dropped")
    go_on.set()
    looks(node, lambda: not pending(tmp_path))
    assert times == [1, 1]


def test_what_is_refused_again_and_again_is_only_looked_at_until_something_else_is_lost(
    node: StreamRepair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, looked, equal = [], [], [False]

    def publish_again(_: Settings) -> Outcome:
        published.append(1)
        return Outcome(1, equal[0], () if equal[0] else ("events refused-one",))

    def look(_: Settings) -> Outcome:
        looked.append(1)
        return Outcome(0, False, ("events refused-one",))

    monkeypatch.setattr(repair, "publish_again", publish_again)
    monkeypatch.setattr(repair, "look", look)
    monkeypatch.setattr(repair, "_LONGEST_DELAY", 0.02)
    StreamMemory(tmp_path).repair(REASON)

    looks(node, lambda: len(looked) > 2)
    assert len(published) == 3
    with pytest.raises(ServiceError, match=r"events refused-one still differ.*'neonblue reconcile'"):
        node.check()

    monkeypatch.setattr(repair, "_LONGEST_DELAY", 1_000.0)
    before = len(looked)
    looks(node, lambda: len(looked) > before + 1 or node._not_before > time.monotonic() + 500)

    equal[0] = True
    StreamMemory(tmp_path).repair("a view was dropped")
    looks(node, lambda: not pending(tmp_path))
    assert len(published) == 4


def test_what_only_tells_how_the_stream_goes_is_no_loss(tmp_path: Path) -> None:
    schema = ClickHouseSchema(Settings(data_dir=tmp_path))

    schema._note_loss("", ["canaries", "canaries_mv", "message_traces_mv"])
    assert pending(tmp_path) == ()
    schema._note_loss("", ["canaries", "assignments"])
    assert ["ClickHouse lacked assignments" in reason for reason in pending(tmp_path)] == [True]
