"""How often each key is asked for."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0012_evaluations"
down_revision = "0011_ramps"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
