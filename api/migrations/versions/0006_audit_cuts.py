"""Retention of the audit log: its oldest rows go, and the hash that the rest follows is kept."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0006_audit_cuts"
down_revision = "0004_drop_partition"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
