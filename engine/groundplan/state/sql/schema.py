"""The tables. A change here needs a migration beside it; a test compares the two.

Columns named `sealed_*` hold sealed JSON (`state.seal`); times are seconds since the epoch, UTC.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata: Final = MetaData()

# SQLite counts in 64 bits whatever the column is called, and counts by itself only in one that is called INTEGER.
_COUNTER: Final = BigInteger().with_variant(Integer(), "sqlite")

blueprints: Final = Table(
    "blueprints",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("main_file", String, nullable=False),
    Column("description", Text),
    Column("labels", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

plans: Final = Table(
    "plans",
    metadata,
    Column("digest", String, primary_key=True),
    Column("document", Text, nullable=False),
)

blueprint_files: Final = Table(
    "blueprint_files",
    metadata,
    Column("digest", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("mode", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

deployments: Final = Table(
    "deployments",
    metadata,
    Column("id", String, primary_key=True),
    Column("blueprint_id", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("display_name", String, nullable=False),
    Column("labels", Text, nullable=False),
    Column("sealed_inputs", LargeBinary, nullable=False),
    Column("scaling", Text, nullable=False, server_default="{}"),
    Column("owner_deployment", String),
    Column("owner_instance", String),
    Column("created_at", Float, nullable=False),
)

node_instances: Final = Table(
    "node_instances",
    metadata,
    Column("deployment_id", String, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True, nullable=False),
    Column("id", String, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("node", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("host", String),
    Column("state", String, nullable=False),
    Column("relationships", Text, nullable=False),
    Column("scaling_groups", Text, nullable=False),
    Column("sealed_runtime_properties", LargeBinary, nullable=False),
    Column("system_properties", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

dependencies: Final = Table(
    "dependencies",
    metadata,
    Column("source", String, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("target", String, nullable=False, index=True),
    Column("node", String),
)

executions: Final = Table(
    "executions",
    metadata,
    Column("id", String, primary_key=True),
    Column("deployment_id", String, ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("workflow", String, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("sealed_parameters", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("error", Text, nullable=False),
    Column("parent_execution", String, index=True),
    Column("parent_task", Integer),
    Column("is_dry_run", Boolean, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("driver", String),
    Column("fence", Integer, nullable=False),
    Column("heartbeat", Float),
    Column("wait_after_fail", Float),
    Column("scheduled_for", Float),
    Column("group_id", String, index=True),
    Column("on_temporal", Boolean, nullable=False, server_default=false()),
)

deployment_groups: Final = Table(
    "deployment_groups",
    metadata,
    Column("id", String, primary_key=True),
    Column("description", Text, nullable=False),
    Column("blueprint_id", String),
    Column("sealed_inputs", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

group_members: Final = Table(
    "group_members",
    metadata,
    Column("group_id", String, ForeignKey("deployment_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("deployment_id", String, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True, index=True),
)

execution_groups: Final = Table(
    "execution_groups",
    metadata,
    Column("id", String, primary_key=True),
    Column("deployment_group", String, nullable=False, index=True),
    Column("workflow", String, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("is_forced", Boolean, nullable=False),
    Column("success_group", String),
    Column("failure_group", String),
    Column("created_at", Float, nullable=False),
)

schedules: Final = Table(
    "schedules",
    metadata,
    Column("deployment_id", String, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String, primary_key=True),
    Column("workflow", String, nullable=False),
    Column("sealed_parameters", LargeBinary, nullable=False),
    Column("rule", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("slip", Integer, nullable=False),
    Column("stop_on_fail", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float, index=True),
    Column("latest", String),
)

workers: Final = Table(
    "workers",
    metadata,
    Column("name", String, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("heartbeat", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("executions", Integer, nullable=False),
    Column("limit", Integer, nullable=False),
)

stages: Final = Table(
    "stages",
    metadata,
    Column("execution_id", String, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("first", Integer, nullable=False),
    Column("forgives", Boolean, nullable=False),
)

tasks: Final = Table(
    "tasks",
    metadata,
    Column("execution_id", String, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("instance", String, nullable=False),
    Column("operation", String, nullable=False),
    Column("details", Text, nullable=False),
    Column("waits", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("earlier", Integer, nullable=False),
    Column("due_at", Float),
    Column("waits_for", String),
    Column("error", Text, nullable=False),
    Column("sealed_result", LargeBinary),
    sqlite_with_rowid=False,
)

# The rows of attempts and events are many, and each foreign key would look up the execution whose lease their writer
# holds anyway; who deletes executions deletes them (`writes`), and `examine` looks for any that were left.
attempts: Final = Table(
    "attempts",
    metadata,
    Column("execution_id", String, primary_key=True),
    Column("task", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("verdict", String),
    Column("error", Text),
    sqlite_with_rowid=False,
)

left_outcomes: Final = Table(
    "left_outcomes",
    metadata,
    Column("execution_id", String, ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
    Column("task", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sealed_outcome", LargeBinary, nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
    Column("execution_id", String, index=True),
    Column("deployment_id", String, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("type", String, nullable=False),
    Column("level", String, nullable=False),
    Column("instance", String),
    Column("target", String),
    Column("operation", String, nullable=False),
    Column("message", Text, nullable=False),
)

keys: Final = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("check_value", LargeBinary, nullable=False),
)

secrets: Final = Table(
    "secrets",
    metadata,
    Column("name", String, primary_key=True),
    Column("sealed_value", LargeBinary, nullable=False),
    Column("is_document", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

manifests: Final = Table(
    "manifests",
    metadata,
    Column("name", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("document", Text, nullable=False),
)

remembered: Final = Table(
    "remembered",
    metadata,
    Column("deployment_id", String, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("sealed_value", LargeBinary, nullable=False),
)

deployment_updates: Final = Table(
    "deployment_updates",
    metadata,
    Column("id", String, primary_key=True),
    Column("deployment_id", String, ForeignKey("deployments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("execution_id", String, index=True),
    Column("state", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("sealed_inputs", LargeBinary, nullable=False),
)
