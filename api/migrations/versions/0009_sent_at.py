"""An event keeps what its client's clock said when it was sent, and what was added to its time."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0009_sent_at"
down_revision = "0008_app_version"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
