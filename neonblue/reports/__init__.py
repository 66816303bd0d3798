"""Reports: typed results in, self-contained HTML and figures out. Pure: no network, no files."""

from neonblue.analysis.segmentation import Segment, SegmentEffect, segment_effects
from neonblue.findings.effects import effects_of
from neonblue.reports.figures import FigureFile, Format, render_figures
from neonblue.reports.from_analysis import health_of, report_of_analysis
from neonblue.reports.model import (
    ArmExposure,
    ArmRevenue,
    Effect,
    ExperimentLine,
    ExperimentReport,
    FunnelStep,
    HealthRow,
    Outcome,
    Overview,
    Provenance,
    RetentionPoint,
    Said,
    Sequence,
    SequencePoint,
    Unavailable,
)
from neonblue.reports.page import render_overview, render_report

__all__ = [
    "ArmExposure",
    "ArmRevenue",
    "Effect",
    "ExperimentLine",
    "ExperimentReport",
    "FigureFile",
    "Format",
    "FunnelStep",
    "HealthRow",
    "Outcome",
    "Overview",
    "Provenance",
    "RetentionPoint",
    "Said",
    "Segment",
    "SegmentEffect",
    "Sequence",
    "SequencePoint",
    "Unavailable",
    "effects_of",
    "health_of",
    "render_figures",
    "render_overview",
    "render_report",
    "report_of_analysis",
    "segment_effects",
]
