"""What a message of the stream held and no table did, so that each can be made anew."""

from pathlib import Path

from alembic import op

from api.migrations.script import run_script

revision = "0005_rebuildable_messages"
down_revision = "0004_drop_partition"


def upgrade() -> None:
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
