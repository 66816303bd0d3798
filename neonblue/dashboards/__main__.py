"""Writes the dashboards' JSON: ``python -m neonblue.dashboards [--runbooks ADDRESS] [FOLDER]``, from a checkout."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from neonblue.dashboards.alerts import read_alerts
from neonblue.dashboards.boards import BOARDS
from neonblue.dashboards.render import render

COMPOSE = Path(__file__).resolve().parents[2] / "compose"
FOLDER = COMPOSE / "grafana" / "dashboards"


def texts(runbooks: str = "") -> Mapping[str, str]:
    """The files by name: the same bytes for the same boards and rules."""
    alerts = read_alerts(COMPOSE / "monitoring" / "rules")
    encoder = JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False)
    return {
        f"{board.uid.removeprefix('neonblue-')}.json": encoder.encode(render(board, alerts, runbooks)) + "\n"
        for board in BOARDS
    }


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(prog="python -m neonblue.dashboards", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument(
        "--runbooks", default="", help="the address of docs/runbooks, so that panels link to its pages"
    )
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts(given.runbooks).items():
        (given.folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
