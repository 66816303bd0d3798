"""An event may say which version of the app sent it."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0008_app_version"
down_revision = "0007_outbox_by_proof"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
