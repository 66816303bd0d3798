"""Metrics of the catalogue that are watched in every running experiment."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0013_watched_metrics"
down_revision = "0012_evaluations"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
