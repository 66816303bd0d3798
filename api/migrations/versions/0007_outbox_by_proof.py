"""Days of the outbox go by proof alone, which the API has: whoever keeps house drops days of the events."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0007_outbox_by_proof"
down_revision = "0006_audit_cuts"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
