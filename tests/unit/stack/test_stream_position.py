"""A position that went on by reading is told from one that was set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from neonblue.settings import Settings
from neonblue.stack.services.inside.stream_position import Course, Position, PositionWatch, Span
from neonblue.stack.services.stream_memory import StreamMemory
from neonblue.stack.supervisor import probe


def status_error() -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://clickhouse")
    return httpx.HTTPStatusError("memory", request=request, response=httpx.Response(500, request=request))


READER, NEXT = frozenset({"a"}), frozenset({"b"})
NOBODY = frozenset[str]()


def test_who_reads_on_passes_nothing() -> None:
    course, passed = Course(READER, {0: 5}).after(Position(READER, {0: 500, 1: 3}))

    assert passed == []
    assert course == Course(READER, {0: 500, 1: 3})


def test_a_reader_whose_position_moves_long_after_it_came_is_looked_at_once() -> None:
    course, passed = Course(READER, {0: 5, 1: 7}).after(Position(NEXT, {0: 5, 1: 9}))
    assert passed == [Span(1, 7, 9)]
    course, passed = course.after(Position(NEXT, {0: 5, 1: 12}))
    assert passed == []

    course, passed = course.after(Position(NEXT, {0: 90, 1: 15}))

    assert passed == [Span(0, 5, 90)]
    assert course.after(Position(NEXT, {0: 99, 1: 20}))[1] == []


def test_what_lies_between_two_readers_is_looked_at() -> None:
    course = Course(READER, {0: 5, 1: 7, 2: 9})
    course, passed = course.after(Position(NOBODY, {0: 5, 1: 7, 2: 9}))
    assert passed == []
    course, passed = course.after(Position(NOBODY, {0: 90, 1: 7, 2: 0}))
    assert passed == []

    course, passed = course.after(Position(NEXT, {0: 95, 1: 7, 2: 1, 3: 2}))

    assert passed == [Span(0, 5, 95), Span(3, 0, 2)]
    assert course.after(Position(NEXT, {0: 99}))[1] == []


def test_a_reader_that_came_between_two_looks_is_noticed() -> None:
    assert Course(READER, {0: 5}).after(Position(NEXT, {0: 6}))[1] == [Span(0, 5, 6)]


@pytest.fixture
def memory(tmp_path: Path) -> StreamMemory:
    return StreamMemory(tmp_path)


def watching(memory: StreamMemory, monkeypatch: pytest.MonkeyPatch, *looks: Position) -> list[Span]:
    """What one life of a supervisor counted, which saw these positions, where no message left a row."""
    seen: Iterator[Position] = iter(looks)
    counted: list[Span] = []
    monkeypatch.setattr(PositionWatch, "_look", lambda _: next(seen))
    monkeypatch.setattr(PositionWatch, "_read", lambda _, span: counted.append(span) or 0)
    watch = PositionWatch(Settings(), memory)
    for _ in looks:
        watch.look()
    return counted


def test_what_was_passed_before_the_first_look_is_looked_at(
    memory: StreamMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.position_is({})

    assert watching(memory, monkeypatch, Position(READER, {0: 90})) == [Span(0, 0, 90)]
    assert memory.read().to_repair


def test_what_was_passed_while_nobody_looked_is_looked_at_once(
    memory: StreamMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.position_is({0: 3})
    assert watching(memory, monkeypatch, Position(READER, {0: 5}), Position(NEXT, {0: 9}))

    assert watching(memory, monkeypatch, Position(NOBODY, {0: 9})) == []
    assert watching(memory, monkeypatch, Position(NOBODY, {0: 9}), Position(READER, {0: 70})) == [
        Span(0, 9, 70)
    ]
    assert watching(memory, monkeypatch, Position(NEXT, {0: 70, 1: 2})) == [Span(1, 0, 2)]


def test_a_folder_that_has_noted_nothing_begins_where_it_is(
    memory: StreamMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watching(memory, monkeypatch, Position(READER, {0: 90})) == []
    assert watching(memory, monkeypatch, Position(NEXT, {0: 95})) == [Span(0, 90, 95)]


def test_a_topic_that_is_made_anew_is_looked_at_from_its_beginning(
    memory: StreamMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.position_is({0: 4_000})
    watch, counted = PositionWatch(Settings(), memory), list[Span]()
    monkeypatch.setattr(PositionWatch, "_read", lambda _, span: counted.append(span) or 0)
    monkeypatch.setattr(PositionWatch, "_look", lambda _: Position(READER, {0: 4_000}))
    watch.look()

    memory.position_is({})
    monkeypatch.setattr(PositionWatch, "_look", lambda _: Position(NEXT, {0: 300}))
    watch.look()
    watch.look()

    assert counted == [Span(0, 0, 300)]
    assert memory.read().position == {0: 300}


@pytest.mark.parametrize("refusal", [httpx.ReadTimeout("late"), status_error()])
def test_what_cannot_be_counted_is_compared_instead(
    memory: StreamMemory, monkeypatch: pytest.MonkeyPatch, refusal: httpx.HTTPError
) -> None:
    def refuse(*_: object) -> list[int]:
        raise refusal

    memory.position_is({})
    monkeypatch.setattr(PositionWatch, "_look", lambda _: Position(READER, {0: 9}))
    monkeypatch.setattr(probe, "clickhouse", refuse)

    PositionWatch(Settings(), memory).look()

    assert memory.read().to_repair
