"""What is published was kept before: where another look came first, it is taken anew."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from neonblue.contract.looks import LookMessage
from neonblue.results import run


def message(number: int) -> LookMessage:
    return LookMessage(
        experiment="life",
        number=number,
        closed_to=f"2026-03-0{number}T00:00:00.000000Z",
        configuration_version=1,
        inference="confidence_sequence",
        alpha=0.05,
    )


def kept_look(monkeypatch: pytest.MonkeyPatch, answers: list[LookMessage | None]) -> tuple[Any, list[int]]:
    """A publication that finds one more look kept at each try, whose own is answered so."""
    known: list[LookMessage] = []
    tried: list[int] = []

    def look(_: object, key: str, looks: Sequence[LookMessage], taking: bool) -> SimpleNamespace:
        assert (key, taking) == ("life", True)
        return SimpleNamespace(to_keep=message(len(looks) + 1))

    def keep(one: LookMessage) -> LookMessage | None:
        tried.append(one.number)
        known.append(message(one.number))
        return answers[len(tried) - 1]

    monkeypatch.setattr(run, "look", look)
    return run._kept_look(None, "life", lambda: known, keep), tried  # type: ignore[arg-type]


def test_the_look_that_was_kept_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, tried = kept_look(monkeypatch, [message(1)])

    assert (seen.to_keep.number, tried) == (1, [1])


def test_after_another_look_it_is_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, tried = kept_look(monkeypatch, [None, message(2)])

    assert (seen.to_keep.number, tried) == (2, [1, 2])


def test_it_gives_up_where_others_come_first_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="life: other looks"):
        kept_look(monkeypatch, [None, None, None])
