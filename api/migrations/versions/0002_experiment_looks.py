"""The looks that were taken at experiments."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0002_experiment_looks"
down_revision = "0001_initial"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
