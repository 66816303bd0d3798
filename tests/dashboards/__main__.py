"""``python -m tests.dashboards DATA_DIR FOLDER``: draws every dashboard from what a running stack answers."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from neonblue.dashboards.__main__ import COMPOSE
from neonblue.dashboards.alerts import read_alerts
from neonblue.dashboards.boards import BOARDS
from neonblue.dashboards.model import Board, Kind
from neonblue.settings import Settings
from tests.dashboards.asking import Sources
from tests.dashboards.expanding import View
from tests.dashboards.pictures import draw


def draw_all(settings: Settings, folder: Path, minutes: float, experiment: str = "") -> list[Path]:
    """The files: one for each dashboard, of the last minutes, of this experiment or the first in the list."""
    alerts = read_alerts(COMPOSE / "monitoring" / "rules")
    end = datetime.now(UTC)
    files = [folder / f"{board.uid}.png" for board in BOARDS]
    with Sources(settings) as sources:
        for board, file in zip(BOARDS, files, strict=True):
            view = _view(board, sources, end - timedelta(minutes=minutes), end, experiment)
            answers = {panel.title: sources.answers(panel, view) for panel in board.panels()}
            draw(board, alerts, answers, view, file)
    return files


def _view(board: Board, sources: Sources, start: datetime, end: datetime, experiment: str) -> View:
    """With what a dashboard chooses by itself: the first that there is to choose."""
    chosen = {"experiment": experiment} if experiment else {}
    view = View(start, end, chosen=chosen)
    for variable in board.variables:
        if variable.name not in chosen:
            rows = sources.select(variable.query, Kind.TABLE, view).rows
            if not rows:
                raise SystemExit(f"{board.title}: nothing to choose from for {variable.label}")
            chosen[variable.name] = str(next(iter(rows[0].values())))
    return view


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.dashboards", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--experiment", default="")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for file in draw_all(Settings.load(given.data_dir), given.folder, given.minutes, given.experiment):
        print(file)
