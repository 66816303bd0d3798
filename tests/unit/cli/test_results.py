"""What ``neonblue results`` prints of the API's answer."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from neonblue.cli.results import show_results


def answer(**fields: Any) -> dict[str, Any]:
    usual = {
        "experiment": "checkout", "status": "ok", "reason": "", "watermark": None, "units": 2, "about": None,
        "decision": {"action": "keep_running", "sentence": "Keep running: 2 units so far.", "arm": None},
        "health": [], "items": [],
    }  # fmt: skip
    return {**usual, **fields}


def check(**fields: Any) -> dict[str, Any]:
    usual = {
        "name": "sample_ratio (version 1)",
        "passed": True,
        "blocking": True,
        "told": True,
        "message": "Fits.",
    }
    return {**usual, **fields}


def shown(found: dict[str, Any]) -> str:
    out = Console(file=io.StringIO(), width=120, highlight=False, color_system=None)
    show_results(out, found)
    text = out.file.getvalue()
    assert isinstance(text, str)
    return text


def test_a_check_that_could_not_tell_is_said_and_not_shown_as_passed() -> None:
    text = shown(answer(health=[check(told=False, message="Too few units to tell: 1, 1 per arm.")]))

    assert "sample ratio (version 1)  Too few units to tell: 1, 1 per arm." in text
    assert "✓" not in text


def test_a_check_that_passed_is_not_said() -> None:
    assert "sample ratio" not in shown(answer(health=[check()]))


@pytest.mark.parametrize("blocking", [True, False])
def test_a_check_that_failed_is_said(blocking: bool) -> None:
    assert "Does not fit." in shown(
        answer(health=[check(passed=False, blocking=blocking, message="Does not fit.")])
    )


@pytest.mark.parametrize(("status", "title"), [("on_its_way", "On its way"), ("not_built", "Not built yet")])
def test_without_numbers_the_reason_stands_first(status: str, title: str) -> None:
    text = shown(answer(status=status, reason="Wait a little.", decision=None))

    assert f"{title}\n  Wait a little." in text


def test_a_broken_split_is_said_also_where_it_is_too_early() -> None:
    broken = {"action": "invalid", "sentence": "Do not use these results. Units do not fit.", "arm": None}
    text = shown(answer(status="too_early", reason="Too few units.", decision=broken))

    assert "Do not use these results. Units do not fit." in text
