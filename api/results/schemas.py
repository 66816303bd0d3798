"""What the results calls answer. The items are the dataclasses of `neonblue.results`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel

from neonblue.analysis.answer import Answer, CheckItem
from neonblue.analysis.instants import Instant
from neonblue.analysis.over_time import DayEffect
from neonblue.analysis.restatement import Restatement
from neonblue.analysis.segmentation import SegmentEffect
from neonblue.results.parts import SeriesItem, StageItem
from neonblue.results.snapshot import SnapshotLine

Item = TypeVar("Item")


class Source(StrEnum):
    """Whether a result was computed for this request, or was published earlier."""

    LIVE = "live"
    SNAPSHOT = "snapshot"


class PublishedFrom(BaseModel):
    """What a published result was made from. offsets: by partition, what every view had reached."""

    snapshot_id: str
    run_id: str
    offsets: dict[str, int]
    metric_versions: dict[str, int]


class Compared(BaseModel):
    """What the same units say today. status: unchanged, restated, or unknown with the reason."""

    status: str
    reason: str = ""
    items: tuple[Restatement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Answer):
    """One look at an experiment: one item for each metric and treatment."""

    source: Source
    snapshot: PublishedFrom | None = None
    restatement: Compared | None = None


class Part(BaseModel, Generic[Item]):
    """One of the experiment's tables. status: ok, or why there are no items; `reason` says it in words."""

    experiment: str
    experiment_id: int
    status: str
    reason: str
    computed_at: Instant
    watermark: Instant | None
    configuration_version: int | None
    code_version: str
    items: list[Item]


class TimeSeries(Part[SeriesItem]):
    """Hour by hour or day by day; by day also each metric's difference so far."""

    effects: list[DayEffect] = []


class Segments(Part[SegmentEffect]):
    """Primary metrics in segments, p-values corrected over all of them."""


class Health(Part[StageItem]):
    """The checks, and the units of each arm at each stage on the way into the analysis."""

    checks: tuple[CheckItem, ...] = ()


class Snapshots(BaseModel):
    """What was published, newest first."""

    experiment: str
    experiment_id: int
    items: list[SnapshotLine]


class ReportOut(BaseModel):
    """A kept report or figure; `url` serves the file."""

    id: str
    kind: str
    title: str
    media_type: str
    bytes: int
    sha256: str
    created_at: Instant
    computed_at: Instant
    watermark: Instant | None
    configuration_version: int
    code_version: str
    run_id: str
    url: str


class Reports(BaseModel):
    """Kept files, newest first."""

    items: list[ReportOut]
