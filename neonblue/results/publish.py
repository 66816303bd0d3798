"""Keeps rendered reports: the file in the store, its line in the index."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

from clickhouse_connect.driver.client import Client

from neonblue.analysis.stamp import Stamp
from neonblue.clickhouse.client import execute
from neonblue.results.store import ReportStore

_AT_ONCE = 500
HTML = "text/html; charset=utf-8"
_FILES = """
SELECT
    report_id, kind, experiment_id, experiment_key, created_at, computed_at, watermark, run_id,
    configuration_version, code_version, title, media_type, location, bytes, sha256
FROM reports
WHERE {report:String} IN ('', report_id) AND {kind:String} IN ('', kind)
    AND ({any:Bool} OR experiment_id = {experiment:UInt32}) AND {media_type:String} IN ('', media_type)
ORDER BY created_at DESC, location
LIMIT {limit:UInt32}
"""


_OLD = """
SELECT report_id, location FROM reports
WHERE created_at < {before:DateTime64(3, 'UTC')} AND (experiment_id, created_at) NOT IN (
    SELECT experiment_id, max(created_at) FROM reports GROUP BY experiment_id
)
ORDER BY created_at LIMIT {limit:UInt32}
"""
_FORGET = "ALTER TABLE reports DELETE WHERE report_id IN {reports:Array(String)}"


class Kind(StrEnum):
    """What a report is about."""

    EXPERIMENT = "experiment"
    OVERVIEW = "overview"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One kept file: the columns of `reports`. location: its path within the store."""

    report_id: str
    kind: str
    experiment_id: int
    experiment_key: str
    created_at: datetime
    computed_at: datetime
    watermark: datetime | None
    run_id: str
    configuration_version: int
    code_version: str
    title: str
    media_type: str
    location: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file to keep. name: its last part, such as `report.html`."""

    name: str
    title: str
    media_type: str
    content: bytes


def publish(
    client: Client,
    store: ReportStore,
    files: tuple[Rendered, ...],
    stamp: Stamp,
    run_id: str,
    experiment: tuple[int, str] | None = None,
) -> tuple[ReportLine, ...]:
    """Keep the files of one run, then list them. experiment: id and key; None for an overview.

    Ids and paths follow from experiment, time and run: a retry replaces what it wrote. Raises the store's,
    ClickHouse's or the network's error.
    """
    kind = Kind.OVERVIEW if experiment is None else Kind.EXPERIMENT
    number, key = experiment or (0, "")
    folder = f"{key or 'overview'}/{stamp.computed_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{run_id}"
    lines = []
    for file in files:
        location = f"{folder}/{file.name}"
        store.put(location, file.content)
        lines.append(
            ReportLine(
                report_id=str(uuid5(NAMESPACE_URL, f"urn:neonblue:report:{number}:{location}")),
                kind=kind.value,
                experiment_id=number,
                experiment_key=key,
                created_at=stamp.computed_at,
                computed_at=stamp.computed_at,
                watermark=stamp.watermark,
                run_id=run_id,
                configuration_version=stamp.configuration_version or 0,
                code_version=stamp.code_version,
                title=file.title,
                media_type=file.media_type,
                location=location,
                bytes=len(file.content),
                sha256=sha256(file.content).hexdigest(),
            )
        )
    names = [field.name for field in fields(ReportLine)]
    client.insert("reports", [list(astuple(line)) for line in lines], column_names=names)
    return tuple(lines)


def delete_old(client: Client, store: ReportStore, before: datetime, limit: int) -> int:
    """Delete the files of reports from before, oldest first, and their lines; how many, at most `limit`.

    The newest report of each experiment stays, and the newest overview. Snapshots of results are no files: they stay.
    Raises the store's or ClickHouse's error; what was deleted until then is deleted.
    """
    old = client.query(_OLD, parameters={"before": before, "limit": limit}).result_rows
    for start in range(0, len(old), _AT_ONCE):
        some = old[start : start + _AT_ONCE]
        for _, location in some:
            store.delete(location)
        execute(client, _FORGET, {"reports": [report for report, _ in some]}, {"mutations_sync": 2})
    return len(old)


def list_reports(client: Client, experiment_id: int, limit: int) -> list[ReportLine]:
    """The experiment's files, newest first."""
    return _files(client, kind=Kind.EXPERIMENT.value, experiment=experiment_id, limit=limit)


def newest_page(client: Client, experiment_id: int) -> ReportLine | None:
    """The experiment's newest report; None before the first."""
    found = _files(client, kind=Kind.EXPERIMENT.value, experiment=experiment_id, media_type=HTML, limit=1)
    return next(iter(found), None)


def list_overviews(client: Client, limit: int) -> list[ReportLine]:
    """The overviews' files, newest first."""
    return _files(client, kind=Kind.OVERVIEW.value, limit=limit)


def find_report(client: Client, report_id: str) -> ReportLine | None:
    """The line of one file."""
    return next(iter(_files(client, report=report_id, limit=1)), None)


def _files(
    client: Client,
    *,
    limit: int,
    kind: str = "",
    report: str = "",
    experiment: int | None = None,
    media_type: str = "",
) -> list[ReportLine]:
    parameters = {
        "report": report,
        "kind": kind,
        "any": experiment is None,
        "experiment": experiment or 0,
        "media_type": media_type,
        "limit": limit,
    }
    return [ReportLine(*row) for row in client.query(_FILES, parameters=parameters).result_rows]
