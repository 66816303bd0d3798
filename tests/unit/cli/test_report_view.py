"""The table of metrics on a terminal: nothing is cut, whatever the names and the width."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from neonblue.cli.report_view import comparison_grid
from neonblue.findings.effect import COLUMNS, Effect, Scale
from neonblue.statistics import Role, Verdict
from neonblue.statistics.experiment.standing import GuardrailState
from neonblue.texts import plain

NOTE = "The control arm has no units: nothing can be compared with it before there are some of them."


def conversion(metric: str = "conversion", arm: str = "treatment", note: str = "") -> Effect:
    return Effect(
        metric, arm, Role.PRIMARY, Scale.SHARE, Verdict.UNDECIDED, 2000, 2000, 0.1234, 0.1345, 0.0111, -0.01, 0.03,
        0.9999, 0.09, -0.08, 1326.855, 0.0123, 0.0246, note,
    )  # fmt: skip


ERRORS = Effect(
    "errors", "treatment", Role.GUARDRAIL, Scale.NUMBER, Verdict.WORSE, 2000, 2000, 0.5, 0.786, 0.286, 0.2, 0.37, 0.95,
    0.572, 0.4, 0.74, 6e-8, 6e-8, "", True, 0.05, True, GuardrailState.BREACHED,
)  # fmt: skip
EMPTY = Effect("revenue", "treatment", Role.SECONDARY, Scale.NUMBER, Verdict.UNKNOWN, 0, 0, note=NOTE)


def shown(*effects: Effect, width: int = 120) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    out.print(comparison_grid(effects))
    text = out.file.getvalue()
    assert isinstance(text, str)
    return text


def joined(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_row_with_a_status_takes_no_column_from_the_others(width: int) -> None:
    text = shown(conversion(), EMPTY, ERRORS, width=width)

    for part in (
        *COLUMNS,
        "conversion",
        "revenue",
        "errors",
        "treatment",
        "no test",
        "not decided",
        "0.0246",
        NOTE,
    ):
        assert joined(part) in joined(text)
    assert "…" not in text


def test_direction_margin_and_p_alone_are_said() -> None:
    text = " ".join(shown(conversion(), ERRORS, width=160).split())

    assert "guardrail, lower is better, margin 5 %" in text
    assert "The loss is beyond its margin of 5 %." in text
    assert "alone 0.0123" in text
    assert text.count("< 0.0001") == 1


@pytest.mark.parametrize("width", [80, 160])
def test_each_row_says_the_level_of_its_intervals(width: int) -> None:
    rows = [
        line.split()
        for line in shown(conversion(), EMPTY, ERRORS, width=width).splitlines()
        if "99.99" in line or "95 %" in line
    ]

    assert [("99.99" in row, "95" in row) for row in rows] == [(True, False), (False, True)]
    if width == 160:
        assert (rows[0][0], rows[1][0]) == ("conversion", "errors")


def test_a_row_without_an_interval_has_no_level() -> None:
    assert "95 %" not in shown(EMPTY, width=160)


def test_a_wide_terminal_has_a_row_for_each_metric_and_a_narrow_one_lines() -> None:
    assert "conversion treatment 12.34 % → 13.45 % +1.11 pp" in " ".join(
        shown(conversion(), width=140).split()
    )
    assert "conversion treatment" not in " ".join(shown(conversion(), width=80).split())


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)


@given(names, names, st.integers(30, 200))
def test_no_name_is_cut_and_none_steers_the_terminal(metric: str, arm: str, width: int) -> None:
    text = shown(conversion(metric, arm, "a note"), width=width)

    assert max(map(cell_len, text.splitlines())) <= width
    assert not set(text) & {chr(code) for code in (*range(10), *range(11, 32), 127, 0x9B, 0x202E)}
    # A name may be folded, also between the rows of other columns; no character of it is lost.
    for name in (metric, arm):
        assert set(joined(plain(name))) <= set(text)


@given(names)
def test_where_there_is_room_a_name_stands_whole(metric: str) -> None:
    grid = comparison_grid([conversion(metric)])

    assert " ".join(plain(metric).split()) in " ".join(shown(conversion(metric), width=grid.width).split())
