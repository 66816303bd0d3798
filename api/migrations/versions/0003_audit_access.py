"""The audit log holds reads, log-ins and refusals too: many more entries, that name more people."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0003_audit_access"
down_revision = "0002_experiment_looks"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
