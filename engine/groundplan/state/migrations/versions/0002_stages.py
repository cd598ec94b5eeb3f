"""Stages of executions, and the counts of a deployment's instances."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the column; executions planned before have no stages of their own."""
    op.create_table(
        "stages",
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("forgives", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("execution_id", "number"),
    )
    op.add_column("deployments", sa.Column("scaling", sa.Text(), nullable=False, server_default="{}"))
