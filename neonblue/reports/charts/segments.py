"""Effects by segment, as one forest plot for each metric and arm."""

from __future__ import annotations

from collections.abc import Sequence

from neonblue.analysis.segmentation import SegmentEffect
from neonblue.reports import wording
from neonblue.reports.charts.forest import Row, forest
from neonblue.reports.drawing import DataTable, Drawing


def segment_charts(segments: Sequence[SegmentEffect], control: str) -> tuple[Drawing, ...]:
    """In the order of the metrics and arms; those without any lift have no drawing."""
    pairs = list(dict.fromkeys((segment.metric, segment.arm) for segment in segments))
    drawings = []
    for place, (metric, arm) in enumerate(pairs):
        rows = [segment for segment in segments if (segment.metric, segment.arm) == (metric, arm)]
        lines = [
            Row(f"{row.attribute}: {row.value}", row.lift, row.lower, row.upper, row.verdict, row.level)
            for row in rows
            if row.lift is not None
        ]
        if lines:
            title = f"{metric}, {arm}: change in each segment"
            drawings.append(forest(f"segments-{place}", title, lines, segments_table(rows), control=control))
    return tuple(drawings)


def segments_table(segments: Sequence[SegmentEffect]) -> DataTable:
    """Every segment, also those without an estimate."""
    return DataTable(
        ("segment", "units", "change", "lower", "upper", "level", "p, adjusted", "note"),
        tuple(
            (
                f"{row.attribute}: {row.value}",
                wording.count(row.units),
                wording.share(row.lift, sign=True),
                wording.share(row.lower, sign=True),
                wording.share(row.upper, sign=True),
                wording.NONE if row.lift is None else wording.level(row.level),
                wording.p_value(row.adjusted_p),
                row.note,
            )
            for row in segments
        ),
    )
