"""Which standbys a commit waits for, by what PostgreSQL is told and sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from neonblue.compose.standby import note, sentence
from neonblue.standbys import Slot, Standbys, Wanted, wanted

SINCE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SLOT = Slot("a", active=False, logical=False, failover=False, lost=False, since=SINCE)
ONE = Standbys(Wanted(1, ("a",)), [("a", "streaming")], {"a": replace(SLOT, active=True)}, ("a",), 0)
OUTBOX = Slot("outbox", active=True, logical=True, failover=False, lost=False, since=None)


@pytest.mark.parametrize(
    ("text", "needed", "names"),
    [
        ("", 0, ()),
        ("standby", 1, ("standby",)),
        ("a, b", 1, ("a", "b")),
        ("FIRST 2 (a, b, c)", 2, ("a", "b", "c")),
        ("2 (a, b)", 2, ("a", "b")),
        ("any 1 ( a,b )", 1, ("a", "b")),
        ('"first ""one""", b', 1, ('first "one"', "b")),
        ("*", 1, ("*",)),
        ("ANY 2 (*)", 2, ("*",)),
    ],
)
def test_the_setting_is_read_by_its_grammar(text: str, needed: int, names: tuple[str, ...]) -> None:
    assert wanted(text) == Wanted(needed, names)


@pytest.mark.parametrize(
    ("text", "attached", "missing", "commits_wait"),
    [
        ("", [], (), False),
        ("a", [("A", "streaming")], (), False),
        ("a", [("copy", "streaming")], ("a",), True),
        ("a", [("a", "catchup")], ("a",), True),
        ("ANY 1 (a, b)", [("b", "streaming")], ("a",), False),
        ("FIRST 2 (a, b)", [("b", "streaming")], ("a",), True),
        ("*", [("x", "streaming")], (), False),
        ("2 (*)", [("x", "streaming"), ("y", "backup")], ("*",), True),
        ("ANY 2 (*)", [("walreceiver", "streaming"), ("walreceiver", "streaming")], (), False),
        ("a", [("a", "streaming"), ("a", "backup")], (), False),
        ("ANY 2 (a, b)", [("a", "streaming"), ("a", "streaming")], ("b",), False),
    ],
)
def test_commits_wait_while_fewer_stream_than_are_needed(
    text: str, attached: list[tuple[str, str]], missing: tuple[str, ...], commits_wait: bool
) -> None:
    seen = replace(ONE, wanted=wanted(text), attached=attached)

    assert (seen.missing, seen.commits_wait) == (missing, commits_wait)


def test_it_is_missing_since_its_slot_is_out_of_use() -> None:
    later = SINCE.replace(hour=13, minute=0)
    away = replace(ONE, attached=[], slots={"a": SLOT})

    assert sentence(away, {"a": later}) == (
        "the standby a is missing since 2026-03-01 12:30Z. Every commit waits for it: no event and no new "
        "assignment is acknowledged. The stream stands still as well"
    )
    assert "since 2026-03-01 13:00Z." in sentence(replace(away, slots={}), {"a": later})
    assert "its slot is lost" in sentence(replace(away, slots={"a": replace(SLOT, lost=True)}), {"a": later})
    assert sentence(replace(away, attached=[("a", "catchup")]), {"a": later}).startswith(
        "the standby a is behind (catchup) since 2026-03-01 13:00Z."
    )


def test_what_is_not_well_while_commits_go_on_is_a_note() -> None:
    assert note(ONE, {}) == ""
    assert note(replace(ONE, slots={"a": SLOT}), {}).startswith("low: the stream stands still: ")
    assert "the slot outbox" in note(replace(ONE, slots={**ONE.slots, "outbox": OUTBOX}), {})
    safe = replace(OUTBOX, failover=True)
    assert note(replace(ONE, slots={**ONE.slots, "outbox": safe}), {}) == ""
    two = replace(ONE, wanted=wanted("ANY 1 (a, b)"))
    assert note(two, {"b": SINCE}).startswith("low: the standby b is missing since 2026-03-01 12:30Z; others")
