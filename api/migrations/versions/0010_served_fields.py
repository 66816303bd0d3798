"""An experiment says whether new units enter, what those left out get, and what it releases once it is concluded."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0010_served_fields"
down_revision = "0009_sent_at"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
