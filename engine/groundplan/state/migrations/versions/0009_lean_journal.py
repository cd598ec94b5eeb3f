"""What drivers write for each operation costs less: attempts have one key, and no row is looked up for another."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ROOM = {"node_instances": 75, "tasks": 70, "attempts": 60}
"""Percent of a page of PostgreSQL that is filled at first: a row that changes stays in its page."""


def upgrade() -> None:
    """Make attempts and events anew, as they are, without foreign keys; see `state.sql.schema`."""
    if op.get_bind().dialect.name == "postgresql":
        _on_postgresql()
    else:
        _on_sqlite()


def _on_postgresql() -> None:
    op.drop_constraint("events_execution_id_fkey", "events")
    op.drop_constraint("attempts_execution_id_fkey", "attempts")
    op.drop_index("attempts_of_task", "attempts")
    op.drop_column("attempts", "id")
    op.create_primary_key("attempts_pkey", "attempts", ["execution_id", "task", "number"])
    for table, percent in _ROOM.items():
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def _on_sqlite() -> None:
    op.drop_index("attempts_of_task", "attempts")
    op.rename_table("attempts", "old_attempts")
    op.create_table(
        "attempts",
        sa.Column("execution_id", sa.String(), nullable=False),
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("execution_id", "task", "number"),
        sqlite_with_rowid=False,
    )
    _move("attempts", "execution_id, task, number, started_at, ended_at, verdict, error")
    op.drop_index("ix_events_deployment_id", "events")
    op.drop_index("ix_events_execution_id", "events")
    op.rename_table("events", "old_events")
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("execution_id", sa.String(), nullable=True),
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("instance", sa.String(), nullable=True),
        sa.Column("target", sa.String(), nullable=True),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _move("events", "id, execution_id, deployment_id, at, type, level, instance, target, operation, message")
    op.create_index("ix_events_deployment_id", "events", ["deployment_id"])
    op.create_index("ix_events_execution_id", "events", ["execution_id"])


def _move(table: str, columns: str) -> None:
    names: list[sa.ColumnClause[object]] = [sa.column(name) for name in columns.split(", ")]
    old, new = sa.table(f"old_{table}", *names), sa.table(table, *(sa.column(name.name) for name in names))
    op.execute(new.insert().from_select([name.name for name in names], sa.select(*old.columns)))
    op.drop_table(f"old_{table}")
