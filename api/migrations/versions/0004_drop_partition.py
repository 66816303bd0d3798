"""Retention drops old partitions by a function, so that who keeps house need not own the tables."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0004_drop_partition"
down_revision = "0002_experiment_looks"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
