"""Retention of the audit log: its oldest rows go, and the hash that the rest follows is kept."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0006_audit_cuts"
down_revision = "0005_rebuildable_messages"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
