"""All dashboards, in the order in which an operator asks."""

from neonblue.dashboards.boards.api import API
from neonblue.dashboards.boards.clickhouse import CLICKHOUSE
from neonblue.dashboards.boards.experiment import EXPERIMENT
from neonblue.dashboards.boards.overview import OVERVIEW
from neonblue.dashboards.boards.pipeline import PIPELINE

BOARDS = (OVERVIEW, PIPELINE, API, CLICKHOUSE, EXPERIMENT)

__all__ = ["BOARDS"]
