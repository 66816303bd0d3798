"""A position that went on by reading is told from one that was set."""

from __future__ import annotations

from neonblue.stack.stream_position import Course, Position, Span

READER, NEXT = frozenset({"a"}), frozenset({"b"})
NOBODY = frozenset[str]()


def test_who_reads_on_passes_nothing() -> None:
    course, passed = Course(READER, {0: 5}).after(Position(READER, {0: 500, 1: 3}))

    assert passed == []
    assert course == Course(READER, {0: 500, 1: 3})


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
