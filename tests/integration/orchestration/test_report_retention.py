"""Old reports go from the store and from their list; each experiment's newest stays, however old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from neonblue.analysis.stamp import Stamp
from neonblue.results.publish import Rendered, delete_old, publish
from neonblue.results.store import ReportStore
from tests.integration.orchestration.conftest import Analysis
from tests.integration.warehouse import rows

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
FILES = tuple(Rendered(name, "t", "text/html", b"x") for name in ("report.html", "lift.png"))


def test_only_what_is_old_and_not_the_newest_goes(analysis: Analysis, tmp_path: Path) -> None:
    store = ReportStore.of(analysis.settings.model_copy(update={"data_dir": tmp_path}))
    folder = tmp_path / "reports"
    for about, ages in (((1, "live"), (500, 450, 3)), ((2, "ended"), (900, 800)), (None, (700, 600))):
        for age in ages:
            stamp = Stamp(NOW - age * DAY, None, 1, "1.0")
            publish(analysis.client, store, FILES, stamp, f"run{age}", about)
    first = folder / rows(analysis.client, "SELECT location FROM reports ORDER BY created_at LIMIT 1")[0][0]
    first.unlink()  # somebody was quicker

    assert delete_old(analysis.client, store, NOW - 400 * DAY, 3) == 3
    assert delete_old(analysis.client, store, NOW - 400 * DAY, 100) == 5
    assert delete_old(analysis.client, store, NOW - 400 * DAY, 100) == 0

    listed = rows(analysis.client, "SELECT location FROM reports ORDER BY location")
    kept = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert [location for (location,) in listed] == kept
    assert [path.split("-")[-1] for path in kept] == [
        f"{run}/{name}" for run in ("run800", "run3", "run600") for name in ("lift.png", "report.html")
    ]
    assert len([path for path in folder.rglob("*-run*") if path.is_dir()]) == 3
