"""Writes of one transaction (`store.Transaction`): those of users and services.

What drivers record is written by `journal`, what attempts elsewhere leave for them by `outcomes`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from zlib import compress

from sqlalchemy import Table, bindparam, delete, func, insert, select, update

from groundplan.model.deployment import Dependency, Deployment, NodeInstance
from groundplan.model.execution import Execution, ExecutionStatus, TaskState
from groundplan.model.graph import TaskGraph
from groundplan.model.group import DeploymentGroup, ExecutionGroup
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, ExecutionId, GroupId, InstanceId
from groundplan.model.plugin import PluginManifest
from groundplan.model.reshape import Reshape
from groundplan.model.schedule import Schedule, ScheduleId, Worker
from groundplan.model.secret import SecretValue
from groundplan.model.update import Update
from groundplan.state.seal import Seal
from groundplan.state.sql import groups, rows, schema
from groundplan.state.sql.batches import graph_rows
from groundplan.state.sql.codec import seal_data, to_json, to_seconds, to_text
from groundplan.state.sql.journal import Journal
from groundplan.state.sql.outcomes import LeftOutcomes
from groundplan.state.sql.reads import remembered_owner
from groundplan.state.sql.sealed import reseal
from groundplan.state.sql.updates import row_of
from groundplan.state.store import FilePart, InstanceChange, StoredBlueprint

_FILE_PARTS: Final = 16
_TOLD: Final = (schema.attempts, schema.events)
"""Rows of executions that no foreign key deletes."""
KEY_ROW: Final = 1
KEY_CHECK: Final = "keys/check"
"""Whom the value is sealed for by which a key is checked."""


class SqlTransaction(Journal, LeftOutcomes):
    """Implements `store.Transaction`."""

    def put_blueprint(self, blueprint: StoredBlueprint, plan: Mapping[str, Any]) -> None:
        self._put(
            schema.blueprints,
            {"id": blueprint.id},
            {
                "digest": blueprint.digest,
                "main_file": blueprint.main_file,
                "description": None if blueprint.description is None else to_text(blueprint.description),
                "labels": to_json(blueprint.labels),
                "created_at": to_seconds(blueprint.created_at),
                "updated_at": to_seconds(blueprint.updated_at),
            },
        )
        self.put_plan(blueprint.digest, plan)

    def put_plan(self, digest: Digest, plan: Mapping[str, Any]) -> None:
        self._put(schema.plans, {"digest": digest}, {"document": to_json(plan)})

    def put_blueprint_files(self, digest: Digest, parts: Iterable[FilePart]) -> None:
        table = schema.blueprint_files
        waiting: list[dict[str, Any]] = []
        for part in parts:
            content = compress(part.content)
            row = {"digest": digest, "path": part.path, "part": part.number, "mode": part.mode, "content": content}
            waiting.append(row)
            if len(waiting) == _FILE_PARTS:
                self._connection.execute(insert(table), waiting)
                waiting = []
        if waiting:
            self._connection.execute(insert(table), waiting)

    def delete_blueprint(self, id: BlueprintId) -> None:
        self._connection.execute(delete(schema.blueprints).where(schema.blueprints.c.id == id))

    def add_deployment(self, deployment: Deployment, instances: Sequence[NodeInstance]) -> None:
        owner = deployment.owner
        self._connection.execute(
            insert(schema.deployments).values(
                id=deployment.id,
                blueprint_id=deployment.blueprint,
                digest=deployment.digest,
                display_name=to_text(deployment.display_name or deployment.id),
                labels=to_json(deployment.labels),
                sealed_inputs=seal_data(self._seal, deployment.inputs, f"deployments/{deployment.id}/inputs"),
                owner_deployment=None if owner is None else owner.deployment,
                owner_instance=None if owner is None else owner.instance,
                scaling=to_json(rows.scaling_document(deployment.scaling)),
                created_at=to_seconds(deployment.created_at),
            )
        )
        self._add_instances(deployment.id, instances)

    def delete_deployment(self, id: DeploymentId) -> None:
        executions = schema.executions
        own = select(executions.c.id).where(executions.c.deployment_id == id)
        for told in _TOLD:
            self._connection.execute(delete(told).where(told.c.execution_id.in_(own)))
        self._connection.execute(delete(schema.deployments).where(schema.deployments.c.id == id))
        self._drop_empty_groups()

    def _drop_empty_groups(self) -> None:
        table, members = schema.execution_groups, schema.executions
        left = select(members.c.id).where(members.c.group_id == table.c.id).exists()
        self._connection.execute(delete(table).where(~left))

    def put_deployment_group(self, group: DeploymentGroup) -> None:
        row = groups.row_of(group, self._seal)
        self._put(schema.deployment_groups, {"id": row.pop("id")}, row)

    def delete_deployment_group(self, id: GroupId) -> None:
        self._connection.execute(delete(schema.deployment_groups).where(schema.deployment_groups.c.id == id))

    def add_members(self, group: GroupId, deployments: Collection[DeploymentId]) -> None:
        known = set(self.members(group))
        added = [{"group_id": group, "deployment_id": each} for each in deployments if each not in known]
        if added:
            self._connection.execute(insert(schema.group_members), added)

    def remove_members(self, group: GroupId, deployments: Collection[DeploymentId]) -> None:
        table = schema.group_members
        matches = (table.c.group_id == group, table.c.deployment_id == bindparam("of"))
        if deployments:
            self._connection.execute(delete(table).where(*matches), [{"of": each} for each in deployments])

    def put_execution_group(self, group: ExecutionGroup) -> None:
        row = groups.execution_row_of(group)
        self._put(schema.execution_groups, {"id": row.pop("id")}, row)

    def put_dependency(self, dependency: Dependency) -> None:
        self._put(
            schema.dependencies,
            {"source": dependency.source, "id": dependency.id},
            {"kind": dependency.kind, "target": dependency.target, "node": dependency.node},
        )

    def delete_dependency(self, id: str, source: DeploymentId) -> None:
        table = schema.dependencies
        self._connection.execute(delete(table).where(table.c.source == source, table.c.id == id))

    def put_update(self, update: Update) -> None:
        row = row_of(update, self._seal)
        self._put(schema.deployment_updates, {"id": row.pop("id")}, row)

    def add_execution(self, execution: Execution, *, claimed: bool = True) -> None:
        parent = execution.parent
        pending = execution.status is ExecutionStatus.PENDING
        self._connection.execute(
            insert(schema.executions).values(
                id=execution.id,
                deployment_id=execution.deployment,
                workflow=execution.workflow,
                status=execution.status,
                sealed_parameters=seal_data(self._seal, execution.parameters, f"executions/{execution.id}/parameters"),
                created_at=to_seconds(execution.created_at),
                started_at=to_seconds(execution.started_at),
                ended_at=to_seconds(execution.ended_at),
                error=to_text(execution.error),
                parent_execution=None if parent is None else parent.execution,
                parent_task=None if parent is None else parent.task,
                is_dry_run=execution.is_dry_run,
                stage=execution.stage,
                wait_after_fail=execution.wait_after_fail,
                scheduled_for=to_seconds(execution.scheduled_for),
                group_id=execution.group,
                fence=0,
                heartbeat=self._beat_of(execution.created_at) if pending and claimed else None,
            )
        )

    def set_execution(
        self,
        id: ExecutionId,
        *,
        status: ExecutionStatus,
        error: str = "",
        at: datetime,
    ) -> None:
        values: dict[str, Any] = {"status": status, "error": to_text(error), "ended_at": None}
        if status.is_final:
            values["ended_at"] = to_seconds(at)
        if status is ExecutionStatus.STARTED:
            values["started_at"] = func.coalesce(schema.executions.c.started_at, to_seconds(at))
            values["heartbeat"] = self._beat_of(at)
        self._connection.execute(update(schema.executions).where(schema.executions.c.id == id).values(**values))

    def set_on_temporal(self, id: ExecutionId, on_temporal: bool) -> None:
        table = schema.executions
        self._connection.execute(update(table).where(table.c.id == id).values(on_temporal=on_temporal))

    def delete_executions(self, ids: Sequence[ExecutionId]) -> None:
        table, these = schema.executions, [{"of": each} for each in ids]
        for told in _TOLD:
            self._connection.execute(delete(told).where(told.c.execution_id == bindparam("of")), these)
        self._connection.execute(delete(table).where(table.c.id == bindparam("of")), these)
        self._drop_empty_groups()

    def put_schedule(self, schedule: Schedule) -> None:
        sealed = seal_data(self._seal, dict(schedule.parameters), rows.schedule_owner(schedule.deployment, schedule.id))
        self._put(
            schema.schedules,
            {"deployment_id": schedule.deployment, "id": schedule.id},
            {
                "workflow": schedule.workflow,
                "sealed_parameters": sealed,
                "rule": to_json(rows.rule_document(schedule.rule)),
                "arguments": to_json(asdict(schedule.arguments)),
                "slip": schedule.slip,
                "stop_on_fail": schedule.stop_on_fail,
                "enabled": schedule.enabled,
                "created_at": to_seconds(schedule.created_at),
                "next_at": to_seconds(schedule.next_at),
                "latest": schedule.latest,
            },
        )

    def delete_schedule(self, deployment: DeploymentId, id: ScheduleId) -> None:
        table = schema.schedules
        self._connection.execute(delete(table).where(table.c.deployment_id == deployment, table.c.id == id))

    def put_worker(self, worker: Worker) -> None:
        self._put(
            schema.workers,
            {"name": worker.name},
            {
                "started_at": to_seconds(worker.started_at),
                "heartbeat": self._beat_of(worker.heartbeat),
                "state": worker.state,
                "executions": worker.executions,
                "limit": worker.limit,
            },
        )

    def delete_worker(self, name: str) -> None:
        self._connection.execute(delete(schema.workers).where(schema.workers.c.name == name))

    def append_tasks(self, execution: ExecutionId, graph: TaskGraph, *, stage: int, forgives: bool = False) -> None:
        self._connection.execute(
            update(schema.executions).where(schema.executions.c.id == execution).values(stage=stage)
        )
        self._connection.execute(
            insert(schema.stages).values(execution_id=execution, number=stage, first=graph.first, forgives=forgives)
        )
        self._writer.append(self._connection, execution, graph_rows(self._seal, execution, graph))

    def extend_stage(self, execution: ExecutionId, graph: TaskGraph) -> None:
        self._writer.append(self._connection, execution, graph_rows(self._seal, execution, graph))

    def reshape(self, deployment: DeploymentId, reshape: Reshape) -> None:
        instances = schema.node_instances
        for removed in sorted(reshape.removed):
            self._connection.execute(
                delete(instances).where(instances.c.deployment_id == deployment, instances.c.id == removed)
            )
        if reshape.relinked:
            self._connection.execute(_RELINK, [_links(deployment, item) for item in reshape.relinked])
        self._add_instances(deployment, reshape.added)
        notes = {noted: InstanceChange(system_properties=each) for noted, each in reshape.noted.items()}
        self._change_instances(deployment, notes)
        values = self._reshaped_columns(deployment, reshape)
        if values:
            table = schema.deployments
            self._connection.execute(update(table).where(table.c.id == deployment).values(**values))

    def _reshaped_columns(self, deployment: DeploymentId, reshape: Reshape) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if reshape.scaling is not None:
            values["scaling"] = to_json(rows.scaling_document(reshape.scaling))
        content = reshape.content
        if content is not None:
            values["blueprint_id"] = content.blueprint
            values["digest"] = content.digest
            values["labels"] = to_json(content.labels)
            values["sealed_inputs"] = seal_data(self._seal, content.inputs, f"deployments/{deployment}/inputs")
        return values

    def reset_tasks(self, execution: ExecutionId, numbers: Sequence[int]) -> None:
        table = schema.tasks
        for number in numbers:
            self._connection.execute(
                update(table)
                .where(table.c.execution_id == execution, table.c.number == number)
                .values(state=TaskState.PENDING, earlier=table.c.attempts, due_at=None, waits_for=None)
            )

    def put_instance(self, deployment: DeploymentId, id: InstanceId, change: InstanceChange) -> None:
        self._change_instances(deployment, {id: change})

    def put_secret(self, name: str, value: SecretValue, now: datetime) -> None:
        table = schema.secrets
        values = {
            "sealed_value": seal_data(self._seal, value.text, f"secrets/{name}"),
            "is_document": value.is_document,
            "updated_at": to_seconds(now),
        }
        changed = self._connection.execute(update(table).where(table.c.name == name).values(**values))
        if not changed.rowcount:
            self._connection.execute(insert(table).values(name=name, created_at=to_seconds(now), **values))

    def delete_secret(self, name: str) -> None:
        self._connection.execute(delete(schema.secrets).where(schema.secrets.c.name == name))

    def rekey(self, key: bytes) -> int:
        new = Seal(key)
        count = reseal(self._connection, self._seal, new)
        self._connection.execute(
            update(schema.keys)
            .where(schema.keys.c.id == KEY_ROW)
            .values(number=schema.keys.c.number + 1, check_value=new.close(b"", KEY_CHECK))
        )
        self._connection.execute(
            update(schema.executions).values(fence=schema.executions.c.fence + 1, driver=None, heartbeat=None)
        )
        self._seal = new
        return count

    def put_manifest(self, fingerprint: str, manifest: PluginManifest) -> None:
        document = to_json(rows.manifest_document(manifest))
        self._put(schema.manifests, {"name": manifest.name}, {"fingerprint": fingerprint, "document": document})

    def remember(self, deployment: DeploymentId, key: str, value: str | None) -> None:
        if value is None:
            table = schema.remembered
            self._connection.execute(delete(table).where(table.c.deployment_id == deployment, table.c.key == key))
            return
        sealed = seal_data(self._seal, value, remembered_owner(deployment, key))
        self._put(schema.remembered, {"deployment_id": deployment, "key": key}, {"sealed_value": sealed})

    def _put(self, table: Table, keys: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        matches = [table.c[name] == value for name, value in keys.items()]
        changed = self._connection.execute(update(table).where(*matches).values(**values))
        if not changed.rowcount:
            self._connection.execute(insert(table).values(**keys, **values))

    def _add_instances(self, deployment: DeploymentId, added: Sequence[NodeInstance]) -> None:
        if not added:
            return
        table = schema.node_instances
        newest = self._connection.execute(
            select(func.max(table.c.ordinal)).where(table.c.deployment_id == deployment)
        ).scalar()
        ordinal = 0 if newest is None else newest + 1
        self._connection.execute(
            insert(table), [self._instance_row(deployment, number, item) for number, item in enumerate(added, ordinal)]
        )

    def _instance_row(self, deployment: DeploymentId, ordinal: int, item: NodeInstance) -> dict[str, Any]:
        return {
            "deployment_id": deployment,
            "id": item.id,
            "ordinal": ordinal,
            "node": item.node,
            "number": item.index,
            "host": item.host,
            "state": item.state,
            "relationships": _relationships_json(item),
            "scaling_groups": _groups_json(item),
            "sealed_runtime_properties": seal_data(
                self._seal, item.runtime_properties, rows.instance_owner(deployment, item.id)
            ),
            "system_properties": to_json(item.system_properties),
            "version": item.version,
        }


_RELINK: Final = (
    update(schema.node_instances)
    .where(
        schema.node_instances.c.deployment_id == bindparam("of"),
        schema.node_instances.c.id == bindparam("at"),
    )
    .values(
        number=bindparam("place"),
        host=bindparam("on"),
        relationships=bindparam("links"),
        scaling_groups=bindparam("groups"),
        version=schema.node_instances.c.version + 1,
    )
)


def _links(deployment: DeploymentId, item: NodeInstance) -> dict[str, Any]:
    return {
        "of": deployment,
        "at": item.id,
        "place": item.index,
        "on": item.host,
        "links": _relationships_json(item),
        "groups": _groups_json(item),
    }


def _relationships_json(item: NodeInstance) -> str:
    return to_json([[it.index, it.type, it.target_node, it.target] for it in item.relationships])


def _groups_json(item: NodeInstance) -> str:
    return to_json([[group.name, group.id] for group in item.scaling_groups])
