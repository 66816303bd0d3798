"""The drawings as files of their own, for a slide or a printed page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from neonblue.reports.drawing import Drawing
from neonblue.reports.model import ExperimentReport
from neonblue.reports.sections import sections_of


class Format(StrEnum):
    """What a figure's file holds."""

    PNG = "png"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        return "image/png" if self is Format.PNG else "application/pdf"


@dataclass(frozen=True, slots=True)
class FigureFile:
    """One figure. name: a file name such as `effects.png`."""

    name: str
    title: str
    media_type: str
    content: bytes


def render_figures(report: ExperimentReport, form: Format = Format.PNG) -> tuple[FigureFile, ...]:
    """Every drawing of the report, in the page's order."""
    return tuple(_file(drawing, form) for section in sections_of(report) for drawing in section.drawings)


def _file(drawing: Drawing, form: Format) -> FigureFile:
    content = drawing.png() if form is Format.PNG else drawing.pdf()
    return FigureFile(f"{drawing.name}.{form}", drawing.title, form.media_type, content)
