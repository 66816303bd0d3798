"""A dashboard on a sheet: each panel in its place, with the rows that its queries answered. Plainer than Grafana's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neonblue.dashboards.alerts import Alert
from neonblue.dashboards.model import Board, Colour, Column, Kind, Panel, Step, Word
from neonblue.dashboards.render import WIDTH, render, steps
from tests.dashboards.asking import Answer, Line
from tests.dashboards.expanding import View
from tests.dashboards.writing import written

_INK = {Colour.GOOD: "#2f9e44", Colour.CAREFUL: "#e67700", Colour.BAD: "#c92a2a", Colour.NEUTRAL: "#1c5fb0"}
_LINES = (
    *("#1c5fb0", "#2f9e44", "#e67700", "#862e9c", "#c92a2a", "#0b7285", "#5c940d", "#a61e4d", "#495057"),
    *("#74b816", "#3bc9db", "#f783ac", "#b197fc", "#ffa94d"),
)
_CELL = 0.46
"""Inches of one step of Grafana's grid, downwards."""
_MOST_ROWS = 14


def draw(
    board: Board,
    alerts: Mapping[str, Alert],
    answers: Mapping[str, Sequence[Answer]],
    view: View,
    file: Path,
) -> None:
    """Write the sheet as a PNG. `answers`: of each panel's queries, by its title."""
    placed = render(board, alerts).panels or []
    height = max(at.grid_pos.y + at.grid_pos.h for at in placed if at.grid_pos is not None)
    figure = Figure(figsize=(18, height * _CELL), facecolor="white")
    panels = {panel.title: panel for panel in board.panels()}
    for at in placed:
        place = at.grid_pos
        assert place is not None
        box = (place.x / WIDTH, 1 - (place.y + place.h) / height, place.w / WIDTH, place.h / height)
        panel = panels.get(at.title or "")
        if panel is None:
            figure.text(0.008, box[1] + 0.25 * box[3], at.title or "", fontsize=12, weight="bold")
            continue
        axes = figure.add_axes(_inner(box, panel, height))
        axes.set_title(panel.title, loc="left", fontsize=9.5, weight="bold")
        _fill(axes, panel, steps(panel, alerts), answers[panel.title], view)
    FigureCanvasAgg(figure).print_png(str(file))


def _inner(box: tuple[float, float, float, float], panel: Panel, height: int) -> tuple[float, ...]:
    left, bottom, wide, high = box
    graph = panel.kind in {Kind.LINES, Kind.BARS, Kind.STATES}
    edge = 0.085 if panel.kind is Kind.STATES else 0.045 if graph else 0.006
    below, above = (1.6 if graph else 0.25) / height, 0.75 / height
    return left + edge, bottom + below, wide - edge - 0.012, high - below - above


def _fill(axes: Axes, panel: Panel, colours: Sequence[Step], answers: Sequence[Answer], view: View) -> None:
    if all(answer.empty for answer in answers):
        axes.set_axis_off()
        axes.text(0.5, 0.5, panel.empty or "No data", ha="center", va="center", color="#868e96")
        return
    match panel.kind:
        case Kind.NUMBER:
            _numbers(axes, panel, colours, answers)
        case Kind.TABLE:
            _table(axes, panel, answers)
        case Kind.STATES:
            _states(axes, panel, colours, _lines(answers), view)
        case Kind.LINES | Kind.BARS:
            _graph(axes, panel, colours, _lines(answers), view)


def _lines(answers: Sequence[Answer]) -> list[Line]:
    return [line for answer in answers for line in answer.lines]


def _numbers(axes: Axes, panel: Panel, colours: Sequence[Step], answers: Sequence[Answer]) -> None:
    columns = {column.name: column for column in panel.columns}
    shown = [(line.name, line.values[-1], panel.unit) for line in _lines(answers)]
    shown += [
        (columns[name].shown, float(value), columns[name].unit)
        for answer in answers
        for row in answer.rows
        for name, value in row.items()
        if name in columns
    ]
    axes.set_axis_off()
    for at, (name, value, unit) in enumerate(shown):
        ink = _INK[_colour(value, colours)]
        high = 1 / len(shown)
        bottom = 1 - (at + 1) * high
        axes.axhspan(bottom + 0.01, bottom + high - 0.01, color=ink)
        text = panel.words[value].text if value in panel.words else written(value, unit, panel.decimals)
        axes.text(0.5, bottom + 0.5 * high, text, ha="center", va="center", color="white", fontsize=15)
        axes.text(0.02, bottom + 0.5 * high, name, va="center", color="white", fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _graph(axes: Axes, panel: Panel, colours: Sequence[Step], lines: Sequence[Line], view: View) -> None:
    lines = sorted(lines, key=lambda line: line.name)
    if panel.stacked and panel.kind is Kind.LINES:
        times = sorted({at for line in lines for at in line.times})
        found = [dict(zip(line.times, line.values, strict=True)) for line in lines]
        layers = [[values.get(at, 0.0) for at in times] for values in found]
        axes.stackplot(
            times, layers, labels=[_named(line, panel) for line in lines], colors=_LINES, alpha=0.7
        )
    tops: dict[datetime, float] = {}
    for at, line in enumerate(lines):
        ink = _LINES[at % len(_LINES)]
        if panel.kind is Kind.BARS:
            below = [tops.get(moment, 0.0) for moment in line.times]
            wide = view.seconds / 86400 / 120
            axes.bar(line.times, line.values, wide, below, color=ink, label=_named(line, panel))
            heights = (low + value for low, value in zip(below, line.values, strict=True))
            tops |= dict(zip(line.times, heights, strict=True))
        elif not panel.stacked:
            axes.plot(
                line.times,
                line.values,
                color=ink,
                marker="o" if len(line.times) == 1 else "",
                label=_named(line, panel),
            )
    highest = max((value for line in lines for value in line.values if value == value), default=1)
    for step in colours:
        if step.above is not None and panel.alerts and step.above <= 4 * highest:
            axes.axhline(step.above, color=_INK[step.colour], linestyle="--", linewidth=1)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]), top=panel.most)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: written(y, panel.unit)))
    axes.grid(axis="y", color="#e9ecef")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.12, -0.1), ncols=3, fontsize=6.5, frameon=False)
    _over_time(axes, view)


def _named(line: Line, panel: Panel) -> str:
    return f"{line.name or 'value'}: {written(line.values[-1], panel.unit)}"


def _states(axes: Axes, panel: Panel, colours: Sequence[Step], lines: Sequence[Line], view: View) -> None:
    for at, line in enumerate(lines):
        for start, value in zip(line.times, line.values, strict=True):
            span = view.seconds / view.points / 86400 * 4
            axes.barh(at, span, left=start, height=0.75, color=_INK[_colour(value, colours)])  # type: ignore[arg-type]
    axes.set_yticks(range(len(lines)), [line.name for line in lines], fontsize=7)
    axes.invert_yaxis()
    _over_time(axes, view)


def _over_time(axes: Axes, view: View) -> None:
    axes.set_xlim(view.start, view.end)  # type: ignore[arg-type]
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    axes.tick_params(labelsize=7, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _table(axes: Axes, panel: Panel, answers: Sequence[Answer]) -> None:
    rows = _joined(answers)[:_MOST_ROWS]
    columns = panel.columns
    cells = [[_cell(row.get(column.name), column) for column in columns] for row in rows]
    axes.set_axis_off()
    made = axes.table(
        cells, colLabels=[column.shown or column.name for column in columns], loc="upper left", cellLoc="left"
    )
    made.auto_set_font_size(False)
    made.set_fontsize(7)
    made.auto_set_column_width(range(len(columns)))
    for (row, _), cell in made.get_celld().items():
        cell.set_linewidth(0.3)
        if row == 0:
            cell.set_text_props(weight="bold")


def _joined(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Rows of several queries, merged by their labels as Grafana does; a value is called by its query."""
    if len(answers) == 1:
        return list(answers[0].rows)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for at, answer in enumerate(answers):
        for row in answer.rows:
            labels = {name: value for name, value in row.items() if name != "Value"}
            merged = found.setdefault(tuple(sorted(labels.items())), labels)
            merged[f"Value #{chr(ord('A') + at)}"] = row["Value"]
    return list(found.values())


def _cell(value: object, column: Column) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and column.unit in {"dateTimeFromNow", "dateTimeAsIso"}:
        if column.unit == "dateTimeAsIso":
            return value[:19]
        value = datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp() * 1000
    try:
        number = float(str(value))
    except ValueError:
        return shorten(str(value), 150, placeholder=" …")
    word: Word | None = column.words.get(number)
    return word.text if word else written(number, column.unit)


def _colour(value: float, colours: Sequence[Step]) -> Colour:
    return [step.colour for step in colours if step.above is None or value >= step.above][-1]
