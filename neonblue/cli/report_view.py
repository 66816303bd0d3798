"""Metrics on a terminal, from an analysis or from the API's answer; and an analysis as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from neonblue.findings.effect import COLUMNS, Effect, shown
from neonblue.findings.effects import effects_of
from neonblue.statistics import Estimate, Experiment, Report
from neonblue.statistics.numbers import true_minus
from neonblue.texts import plain

_SINGLE_LOOK = ("p_value", "log10_p", "p_greater", "p_less")
_NAMES = 2  # the columns that may be folded: metric and arm
_LEAST_NAME = (16, 8)  # their widths below which a row is better written as lines
_GAP = 2  # between two columns


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every metric in every arm: a table, or, where a terminal is too narrow for it, lines. Nothing is cut.

    Sentences stand under it, so that none widens a column.
    """

    effects: tuple[Effect, ...]

    @property
    def width(self) -> int:
        """Columns that the table needs with nothing folded."""
        kinds = max((cell_len(shown(effect).kind) for effect in self.effects), default=0)
        first, *others = self._widths()
        return max(first, kinds) + sum(others) + _GAP * len(COLUMNS)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As `options.max_width` allows."""
        if not self.effects:
            return
        widths = self._widths()
        names = sum(map(min, widths[:_NAMES], _LEAST_NAME))
        if names + sum(widths[_NAMES:]) + _GAP * len(COLUMNS) <= options.max_width:
            yield self._table(options.max_width)
        else:
            for effect in self.effects:
                yield _lines(effect)
                yield ""
        for sentence in self._sentences():
            yield Text(sentence, style="dim", overflow="fold")

    def _widths(self) -> list[int]:
        rows = [COLUMNS, *(line for effect in self.effects for line in zip(*_padded(effect), strict=True))]
        return [max(cell_len(row[place]) for row in rows) for place in range(len(COLUMNS))]

    def _table(self, room: int) -> RenderableType:
        widths = self._widths()
        left = room - sum(widths[_NAMES:]) - _GAP * len(COLUMNS)
        arm = min(widths[1], max(_LEAST_NAME[1], left - widths[0], left // 3))
        # Under the name stand role, direction and margin, which take what room is left.
        widths[0] = max(widths[0], *(cell_len(shown(effect).kind) for effect in self.effects))
        grid = Table(header_style="dim", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for place, name in enumerate(COLUMNS):
            foldable = {0: min(widths[0], left - arm), 1: arm}.get(place, widths[place])
            grid.add_column(name, overflow="fold", width=foldable, justify="left")
        for effect in self.effects:
            grid.add_row(*(Text("\n".join(filter(None, cell))) for cell in _cells(effect)))
        return grid

    def _sentences(self) -> Iterator[str]:
        for effect in self.effects:
            for note in shown(effect).notes:
                yield f"{plain(effect.metric)}, {plain(effect.arm)}: {true_minus(plain(note))}"
        if any(effect.has_interval for effect in self.effects):
            yield "Intervals are at their row's level. p is adjusted for the metrics judged together."


def comparison_grid(effects: Iterable[Effect]) -> Comparison:
    """What a console prints of the effects."""
    return Comparison(tuple(effects))


def print_comparison(out: Console, effects: Iterable[Effect]) -> None:
    """Print the effects; where no terminal sets the width, as wide as the table is with nothing folded."""
    found = comparison_grid(effects)
    if not out.is_terminal:
        out.width = max(out.width, found.width)
    out.print(found)


def rows_of(report: Report) -> tuple[Effect, ...]:
    """One effect per metric and arm."""
    return effects_of(report.results)


def as_json(experiment: Experiment, report: Report) -> dict[str, Any]:
    """The whole analysis as JSON values; what is not a finite number is null.

    Before the planned end the p-values of a single look are left out, as a report must not show them.
    """
    fields = dataclasses.asdict(report)
    for result, shown_result in zip(report.results, fields["results"], strict=True):
        if isinstance(result.comparison.absolute, Estimate) and result.fixed_p is None:
            for name in _SINGLE_LOOK:
                del shown_result["comparison"]["absolute"][name]
    value: dict[str, Any] = _plain_values({"control": experiment.control, **fields})
    return value


def _cells(effect: Effect) -> tuple[tuple[str, str], ...]:
    """Of each column the first line and the second."""
    cells = shown(effect)
    return (
        (plain(effect.metric), cells.kind),
        (plain(effect.arm), ""),
        (f"{cells.control} → {cells.treatment}", ""),
        (cells.difference, cells.interval),
        (cells.change, cells.change_interval),
        (cells.level, ""),
        (cells.p_adjusted, cells.p_alone),
        (cells.verdict, ""),
    )


def _padded(effect: Effect) -> Sequence[Sequence[str]]:
    """The two lines of each column; of the first one the name alone is kept whole."""
    (name, _), *others = _cells(effect)
    return ((name, ""), *others)


def _lines(effect: Effect) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim", width=max(map(len, COLUMNS)))
    grid.add_column(overflow="fold")
    for name, (first, second) in zip(COLUMNS, _cells(effect), strict=True):
        grid.add_row(name, Text(f"{first} ({second})" if second else first))
    return grid


def _plain_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
