"""A drawing: what is painted, with the words and the numbers that stand for it; and its outputs."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neonblue.reports.palette import Ink
from neonblue.reports.svg import for_page

_DOTS_PER_INCH = 160
_RULES: dict[Any, Any] = {
    "axes.edgecolor": Ink.GRID.value,
    "axes.labelcolor": Ink.MUTED.value,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": Ink.TEXT.value,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the layout is the same on every machine
    "font.size": 9.0,
    "grid.color": Ink.GRID.value,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "neonblue",
    "text.color": Ink.TEXT.value,
    "text.parse_math": False,  # a name such as "$spend$" is no formula
    "xtick.color": Ink.MUTED.value,
    "ytick.color": Ink.MUTED.value,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
_NUMBER = re.compile(r"[-−+–<>]?\s?(\d|$)|unbounded|alone ")
_rules_lock = threading.Lock()  # matplotlib's settings are of the process


class Width(StrEnum):
    """Every drawing is laid out twice: shrunk to a phone, letters made for a desktop can't be read."""

    WIDE = "wide"
    NARROW = "narrow"

    @property
    def inches(self) -> float:
        return 8.6 if self is Width.WIDE else 3.9


def round_ticks(most: int, *, whole: bool = False) -> MaxNLocator:
    """At most about so many marks on an axis, at steps of 1, 2 or 5. whole: at whole numbers only."""
    return MaxNLocator(most, steps=[1, 2, 5, 10], integer=whole)


@dataclass(frozen=True, slots=True)
class DataTable:
    """The numbers of a drawing as texts: what a reader copies and a screen reader reads."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds numbers, which stand to the right."""
        return tuple(
            all(_NUMBER.match(row[place]) for row in self.rows) for place in range(len(self.columns))
        )


@dataclass(frozen=True, slots=True)
class Drawing:
    """name: unique in a page, a CSS identifier. alternative: what is seen, in words.

    height: in inches at a width. paint: draws into an empty figure of that size.
    """

    name: str
    title: str
    alternative: str
    table: DataTable
    height: Callable[[Width], float]
    paint: Callable[[Figure, Width], None]

    def svg(self, width: Width) -> str:
        """An `<svg>` element for a page, coloured by the page's variables."""
        buffer = io.StringIO()
        with _rules_lock, mpl.rc_context(_RULES):
            figure = self._painted(width)
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
        return for_page(buffer.getvalue(), f"{self.name}-{width}", self.title, self.alternative)

    def png(self) -> bytes:
        """A picture on white."""
        buffer = io.BytesIO()
        with _rules_lock, mpl.rc_context(_RULES | {"figure.facecolor": "#ffffff"}):
            figure = self._painted(Width.WIDE)
            figure.set_dpi(_DOTS_PER_INCH)
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Title": self.title, "Software": None})
        return buffer.getvalue()

    def pdf(self) -> bytes:
        """A page of the drawing's size; letters stay letters."""
        buffer = io.BytesIO()
        with _rules_lock, mpl.rc_context(_RULES | {"pdf.fonttype": 42}):
            figure = self._painted(Width.WIDE)
            metadata = {"Title": self.title, "Creator": None, "Producer": None, "CreationDate": None}
            FigureCanvasPdf(figure).print_pdf(buffer, metadata=metadata)
        return buffer.getvalue()

    def _painted(self, width: Width) -> Figure:
        figure = Figure(figsize=(width.inches, self.height(width)), layout="constrained")
        self.paint(figure, width)
        return figure
