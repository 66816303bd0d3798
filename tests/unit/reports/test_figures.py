"""Figures as files, and the words that stand for them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neonblue.reports import Effect, ExperimentReport, Format, render_figures, wording
from neonblue.reports.charts.forest import Row, forest
from neonblue.reports.drawing import DataTable, Width, round_ticks
from neonblue.reports.model import Scale
from neonblue.reports.sections import sections_of
from neonblue.statistics import Role, Verdict

_STARTS = {Format.PNG: b"\x89PNG", Format.PDF: b"%PDF"}


@pytest.mark.parametrize("form", list(Format))
def test_every_drawing_becomes_a_file(whole: ExperimentReport, form: Format) -> None:
    files = render_figures(whole, form)
    assert [file.name for file in files][:2] == [f"effects.{form}", f"sequence-0.{form}"]
    assert len(files) == 8
    assert all(file.content.startswith(_STARTS[form]) for file in files)


_bounds = st.one_of(st.none(), st.floats(0, 1e6))


@given(st.lists(st.tuples(st.floats(-1, 1e4), _bounds, _bounds), min_size=1, max_size=4))
def test_every_estimate_lies_on_the_axis_however_far_apart_they_are(
    rows: list[tuple[float, float | None, float | None]],
) -> None:
    from matplotlib.figure import Figure

    drawn = [
        Row(
            "m",
            value,
            None if low is None else value - low,
            None if high is None else value + high,
            Verdict.BETTER,
            0.95,
        )
        for value, low, high in rows
    ]
    figure = Figure()
    forest("f", "f", drawn, DataTable((), ())).paint(figure, Width.WIDE)
    low, high = figure.axes[0].get_xlim()
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert all(low < row.value < high for row in drawn)
    assert low < 0 < high


def test_the_description_tells_each_effect_and_its_verdict() -> None:
    rows = [
        Row("conversion", 0.1, 0.05, None, Verdict.BETTER, 0.975),
        Row("spend", -0.02, -0.1, 0.06, Verdict.UNDECIDED, 0.95),
    ]
    words = forest("f", "f", rows, DataTable((), ())).alternative
    assert "conversion: +10.0 %, 97.5 % interval +5.00 % to unbounded, better." in words
    assert "spend: −2.00 %, 95 % interval −10.0 % to +6.00 %, not decided." in words


@pytest.mark.parametrize("width", list(Width))
def test_each_line_of_a_plot_says_the_level_of_its_interval(width: Width) -> None:
    from matplotlib.figure import Figure

    rows = [
        Row("conversion", 0.1, 0.05, 0.2, Verdict.BETTER, 0.9875),
        Row("spend", -0.02, -0.1, 0.06, Verdict.UNDECIDED, 0.95),
    ]
    figure = Figure()
    forest("f", "f", rows, DataTable((), ())).paint(figure, width)
    texts = [text.get_text() for text in figure.axes[0].texts]

    assert "+10.0 %  (98.75 %: +5.00 % to +20.0 %)" in texts
    assert "−2.00 %  (95 %: −10.0 % to +6.00 %)" in texts


def test_every_figure_with_intervals_names_their_level_in_its_picture(whole: ExperimentReport) -> None:
    drawings = [drawing for section in sections_of(whole) for drawing in section.drawings]
    levels = {drawing.name: re.findall(r"9[\d.]+ %", drawing.svg(Width.WIDE)) for drawing in drawings}

    assert {"97.5 %", "95 %"} <= set(levels["effects"])
    assert set(levels["sequence-0"]) == {"97.5 %"}
    assert "98.75 %" in levels["segments-0"]


def test_the_data_of_every_figure_with_intervals_name_their_level(whole: ExperimentReport) -> None:
    drawings = [drawing for section in sections_of(whole) for drawing in section.drawings]
    with_intervals = [drawing.table for drawing in drawings if "lower" in drawing.table.columns]

    assert len(with_intervals) == 4
    assert all("level" in table.columns for table in with_intervals)


def test_a_margin_is_drawn_and_told() -> None:
    from matplotlib.figure import Figure

    drawn = forest("f", "f", [Row("errors", 0.57, 0.4, 0.74, Verdict.WORSE, 0.95, 0.05)], DataTable((), ()))
    figure = Figure()
    drawn.paint(figure, Width.WIDE)

    assert "margin at +5.00 %, worse." in drawn.alternative
    assert any(list(line.get_xdata()) == [0.05, 0.05] for line in figure.axes[0].lines)
    assert "dashed: a guardrail's margin" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(
    ("relative", "lower_is_better", "control", "place"),
    [
        (True, True, 2.0, 0.05),
        (True, False, 2.0, -0.05),
        (False, True, 2.0, 0.025),
        (False, False, -2.0, -0.025),
        (False, True, 0.0, None),
        (False, True, None, None),
    ],
)
def test_a_margin_lies_on_the_side_of_the_loss(
    relative: bool, lower_is_better: bool, control: float | None, place: float | None
) -> None:
    effect = Effect(
        "m", "b", Role.GUARDRAIL, Scale.NUMBER, Verdict.WORSE, 1, 1, control, margin=0.05, margin_relative=relative,
        lower_is_better=lower_is_better,
    )  # fmt: skip
    assert effect.margin_as_change == (None if place is None else pytest.approx(place))


@given(st.floats(1e-6, 1e6), st.integers(3, 9))
def test_marks_of_an_axis_are_1_2_or_5_apart(largest: float, most: int) -> None:
    ticks = round_ticks(most).tick_values(0, largest)
    step = ticks[1] - ticks[0]
    assert f"{step:.6e}"[0] in "125"


def test_a_name_with_dollars_is_no_formula() -> None:
    row = Row("$spend$ \\alpha $", 0.1, 0.05, 0.2, Verdict.BETTER, 0.95)
    assert "$spend$" in forest("f", "f", [row], DataTable((), ())).svg(Width.WIDE)


def test_columns_of_numbers_are_known() -> None:
    table = DataTable(
        ("arm", "units", "change", "p"), (("a", "1,234", "+1.0 %", "< 0.0001"), ("b", "5", "–", "0.0100"))
    )
    assert table.numeric == (False, True, True, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retention_7 -4.3 % (-7.5 % to -1.1 %)", "retention_7 −4.3 % (−7.5 % to −1.1 %)"),
        ("A-7 and p = 3e-05", "A-7 and p = 3e-05"),
        ("2026-02-01", "2026-02-01"),
    ],
)
def test_only_signs_become_minus_signs(text: str, expected: str) -> None:
    assert wording.true_minus(text) == expected


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (10_000.0, Scale.NUMBER, "10,000"),
        (0.4, Scale.SHARE, "40 %"),
        (-2.5, Scale.NUMBER, "−2.5"),
        (1e-15, Scale.SHARE, "0"),
        (0.000025, Scale.NUMBER, "0.000025"),
    ],
)
def test_axis_numbers_have_no_more_digits_than_they_need(value: float, scale: Scale, expected: str) -> None:
    assert wording.tick(value, scale) == expected


def test_a_difference_of_nothing_has_no_sign() -> None:
    assert wording.share(1e-9, sign=True) == "0.00 %"
    assert wording.share(-0.0, sign=True) == "0.00 %"
    assert wording.difference(0.0123, Scale.SHARE) == "+1.23 pp"
