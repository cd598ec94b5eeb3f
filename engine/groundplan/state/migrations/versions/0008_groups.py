"""Groups of deployments, and the executions that run on all of one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; no execution so far is one of a group."""
    op.create_table(
        "deployment_groups",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("blueprint_id", sa.String(), nullable=True),
        sa.Column("sealed_inputs", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["deployment_groups.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "deployment_id"),
    )
    op.create_index("ix_group_members_deployment_id", "group_members", ["deployment_id"])
    op.create_table(
        "execution_groups",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("deployment_group", sa.String(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("is_forced", sa.Boolean(), nullable=False),
        sa.Column("success_group", sa.String(), nullable=True),
        sa.Column("failure_group", sa.String(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_execution_groups_deployment_group", "execution_groups", ["deployment_group"])
    op.add_column("executions", sa.Column("group_id", sa.String(), nullable=True))
    op.create_index("ix_executions_group_id", "executions", ["group_id"])
