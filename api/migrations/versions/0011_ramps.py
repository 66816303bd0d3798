"""An experiment may have a ramp, and remembers how its enrolment was before it was rolled back."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0011_ramps"
down_revision = "0010_served_fields"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
