"""Executions whose Temporal workflow sees to them are known, so that nothing else takes them over meanwhile."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what Temporal drives now is marked with its next take-over."""
    op.add_column("executions", sa.Column("on_temporal", sa.Boolean(), nullable=False, server_default=sa.false()))
