"""Schedules and the workers that serve a store; executions are looked up by status: what waits, what must end."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, the columns and the index."""
    op.create_index(op.f("ix_executions_status"), "executions", ["status"], unique=False)
    op.add_column("executions", sa.Column("wait_after_fail", sa.Float(), nullable=True))
    op.add_column("executions", sa.Column("scheduled_for", sa.Float(), nullable=True))
    op.create_table(
        "schedules",
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("sealed_parameters", sa.LargeBinary(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("slip", sa.Integer(), nullable=False),
        sa.Column("stop_on_fail", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=True),
        sa.Column("latest", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("deployment_id", "id"),
    )
    op.create_index(op.f("ix_schedules_next_at"), "schedules", ["next_at"], unique=False)
    op.create_table(
        "workers",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("heartbeat", sa.Float(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("executions", sa.Integer(), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
