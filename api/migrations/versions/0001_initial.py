"""The first schema: experiments, assignments, events, the outbox and its publication."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0001_initial"
down_revision = None


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
