"""Reads of one moment, on one connection (`store.Snapshot`)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zlib import decompress

from sqlalchemy import Column, Connection, Row, Select, Table, func, select, tuple_

from groundplan.model.deployment import Dependency, Deployment, InstanceState, NodeInstance
from groundplan.model.execution import FINAL, STOPPING, Event, Execution, ExecutionStatus, Lease, TaskState
from groundplan.model.group import DeploymentGroup, ExecutionGroup
from groundplan.model.ids import (
    BlueprintId,
    DeploymentId,
    Digest,
    ExecutionGroupId,
    ExecutionId,
    GroupId,
    InstanceId,
)
from groundplan.model.plugin import PluginManifest
from groundplan.model.schedule import Schedule, ScheduleId, Worker
from groundplan.model.secret import SecretValue
from groundplan.model.update import Update, UpdateId
from groundplan.model.values import Data
from groundplan.state.seal import Seal
from groundplan.state.sql import rows, schema
from groundplan.state.sql.codec import from_json, open_data, to_moment, to_seconds
from groundplan.state.sql.groups import execution_group_of, group_of
from groundplan.state.sql.transfer import dump
from groundplan.state.sql.updates import update_of
from groundplan.state.store import FilePart, StageRecord, StoredBlueprint, StoredSecret, TaskRecord

_PAGE: Final = 1000
_FILE_PARTS: Final = 16
_UNFINISHED: Final = tuple(status for status in ExecutionStatus if status not in FINAL)
_UPDATES: Final = select(schema.deployment_updates, schema.executions.c.status).join(
    schema.executions, schema.executions.c.id == schema.deployment_updates.c.execution_id, isouter=True
)


class SqlSnapshot:
    """Implements `store.Snapshot`."""

    def __init__(self, connection: Connection, seal: Seal, ahead: Callable[[], float]) -> None:
        """Read by a connection.

        Args:
            ahead: says how many seconds the clock of leases is ahead of this host's. Heartbeats are stored by that
                clock, and are given and taken by this host's.
        """
        self._connection = connection
        self._seal = seal
        self._ahead = ahead

    def blueprint(self, id: BlueprintId) -> StoredBlueprint | None:
        row = self._one(schema.blueprints, id=id)
        return None if row is None else rows.blueprint(row)

    def blueprints(self) -> Sequence[StoredBlueprint]:
        table = schema.blueprints
        return [rows.blueprint(row) for row in self._connection.execute(select(table).order_by(table.c.id))]

    def plan(self, digest: Digest) -> Mapping[str, Any] | None:
        row = self._one(schema.plans, digest=digest)
        plan: Mapping[str, Any] | None = None if row is None else from_json(row.document)
        return plan

    def has_blueprint_files(self, digest: Digest) -> bool:
        table = schema.blueprint_files
        query = select(table.c.part).where(table.c.digest == digest).limit(1)
        return self._connection.execute(query).first() is not None

    def blueprint_files(self, digest: Digest) -> Iterator[FilePart]:
        table = schema.blueprint_files
        query = (
            select(table.c.path, table.c.part, table.c.mode, table.c.content)
            .where(table.c.digest == digest)
            .order_by(table.c.path, table.c.part)
            .limit(_FILE_PARTS)
        )
        # Page by page, so that no cursor is left open by who stops half-way.
        rows = self._connection.execute(query).all()
        while rows:
            yield from (FilePart(row.path, row.part, row.mode, decompress(row.content)) for row in rows)
            last = tuple_(rows[-1].path, rows[-1].part)
            rows = self._connection.execute(query.where(tuple_(table.c.path, table.c.part) > last)).all()

    def deployment(self, id: DeploymentId) -> Deployment | None:
        row = self._one(schema.deployments, id=id)
        return None if row is None else rows.deployment(row, self._seal)

    def deployments(self) -> Sequence[Deployment]:
        table = schema.deployments
        found = self._connection.execute(select(table).order_by(table.c.created_at, table.c.id))
        return [rows.deployment(row, self._seal) for row in found]

    def instances(self, deployment: DeploymentId) -> Sequence[NodeInstance]:
        table = schema.node_instances
        query = select(*rows.INSTANCE_COLUMNS).where(table.c.deployment_id == deployment).order_by(table.c.ordinal)
        return [rows.instance(row, deployment, self._seal) for row in self._many(query)]

    def instance_states(self, deployment: DeploymentId) -> Mapping[InstanceState, int]:
        table = schema.node_instances
        query = select(table.c.state, func.count()).where(table.c.deployment_id == deployment).group_by(table.c.state)
        return {InstanceState(state): count for state, count in self._connection.execute(query)}

    def instance(self, deployment: DeploymentId, id: InstanceId) -> NodeInstance | None:
        row = self._one(schema.node_instances, rows.INSTANCE_COLUMNS, deployment_id=deployment, id=id)
        return None if row is None else rows.instance(row, deployment, self._seal)

    def dependencies(
        self, *, source: DeploymentId | None = None, target: DeploymentId | None = None
    ) -> Sequence[Dependency]:
        table = schema.dependencies
        query = select(table).order_by(table.c.source, table.c.id)
        if source is not None:
            query = query.where(table.c.source == source)
        if target is not None:
            query = query.where(table.c.target == target)
        return [rows.dependency(row) for row in self._connection.execute(query)]

    def execution(self, id: ExecutionId) -> Execution | None:
        row = self._one(schema.executions, id=id)
        return None if row is None else rows.execution(row, self._seal)

    def executions(
        self,
        *,
        deployment: DeploymentId | None = None,
        parent: ExecutionId | None = None,
        group: ExecutionGroupId | None = None,
        statuses: Collection[ExecutionStatus] = (),
    ) -> Sequence[Execution]:
        table = schema.executions
        query = select(table).order_by(table.c.created_at, table.c.id)
        if deployment is not None:
            query = query.where(table.c.deployment_id == deployment)
        if parent is not None:
            query = query.where(table.c.parent_execution == parent)
        if group is not None:
            query = query.where(table.c.group_id == group)
        if statuses:
            query = query.where(table.c.status.in_(statuses))
        return [rows.execution(row, self._seal) for row in self._connection.execute(query)]

    def leases(self) -> Mapping[ExecutionId, Lease]:
        table = schema.executions
        query = select(table.c.id, table.c.driver, table.c.fence, table.c.heartbeat).where(
            table.c.status.in_(_UNFINISHED), table.c.heartbeat.is_not(None)
        )
        ahead = self._ahead()
        return {
            ExecutionId(row.id): Lease(
                execution=ExecutionId(row.id),
                driver=row.driver or "",
                fence=row.fence,
                heartbeat=to_moment(row.heartbeat - ahead),
            )
            for row in self._connection.execute(query)
        }

    def stopping(self, driver: str) -> Mapping[ExecutionId, ExecutionStatus]:
        table = schema.executions
        query = select(table.c.id, table.c.status).where(table.c.status.in_(STOPPING), table.c.driver == driver)
        return {ExecutionId(row.id): ExecutionStatus(row.status) for row in self._connection.execute(query)}

    def lease(self, execution: ExecutionId) -> Lease | None:
        row = self._one(schema.executions, id=execution)
        if row is None or row.driver is None:
            return None
        heartbeat = to_moment(row.heartbeat - self._ahead())
        return Lease(execution=execution, driver=row.driver, fence=row.fence, heartbeat=heartbeat)

    def schedules(self, *, deployment: DeploymentId | None = None, due: datetime | None = None) -> Sequence[Schedule]:
        table = schema.schedules
        query = select(table).order_by(table.c.created_at, table.c.deployment_id, table.c.id)
        if deployment is not None:
            query = query.where(table.c.deployment_id == deployment)
        if due is not None:
            query = query.where(table.c.next_at <= to_seconds(due), table.c.enabled)
        return [rows.schedule(row, self._seal) for row in self._connection.execute(query)]

    def schedule(self, deployment: DeploymentId, id: ScheduleId) -> Schedule | None:
        row = self._one(schema.schedules, deployment_id=deployment, id=id)
        return None if row is None else rows.schedule(row, self._seal)

    def workers(self) -> Sequence[Worker]:
        table, ahead = schema.workers, self._ahead()
        found = self._connection.execute(select(table).order_by(table.c.started_at))
        return [rows.worker(row, ahead) for row in found]

    def tasks(
        self, execution: ExecutionId, *, first: int = 0, states: Collection[TaskState] = ()
    ) -> Sequence[TaskRecord]:
        table = schema.tasks
        query = select(*rows.TASK_COLUMNS).where(table.c.execution_id == execution, table.c.number >= first)
        if states:
            query = query.where(table.c.state.in_([str(state) for state in states]))
        found = self._connection.execute(query.order_by(table.c.number)).partitions(_PAGE)
        return [task for some in found for task in rows.tasks(some, execution, self._seal)]

    def task(self, execution: ExecutionId, number: int) -> TaskRecord | None:
        row = self._one(schema.tasks, rows.TASK_COLUMNS, execution_id=execution, number=number)
        return None if row is None else rows.tasks([row], execution, self._seal)[0]

    def results(self, execution: ExecutionId) -> Mapping[int, Data]:
        table = schema.tasks
        query = select(table.c.number, table.c.sealed_result).where(
            table.c.execution_id == execution, table.c.sealed_result.is_not(None)
        )
        found = self._connection.execute(query)
        return {
            row.number: open_data(self._seal, row.sealed_result, rows.result_owner(execution, row.number))
            for row in found
        }

    def stages(self, execution: ExecutionId) -> Sequence[StageRecord]:
        table = schema.stages
        query = select(table).where(table.c.execution_id == execution).order_by(table.c.number)
        return [rows.stage(row) for row in self._connection.execute(query)]

    def events(
        self,
        *,
        execution: ExecutionId | None = None,
        deployment: DeploymentId | None = None,
        group: ExecutionGroupId | None = None,
        after: int = 0,
        newest: bool = False,
        limit: int = _PAGE,
    ) -> Sequence[tuple[int, Event]]:
        table = schema.events
        order = table.c.id.desc() if newest else table.c.id
        query = select(table).where(table.c.id > after).order_by(order).limit(limit)
        if execution is not None:
            query = query.where(table.c.execution_id == execution)
        if deployment is not None:
            query = query.where(table.c.deployment_id == deployment)
        if group is not None:
            members = select(schema.executions.c.id).where(schema.executions.c.group_id == group)
            query = query.where(table.c.execution_id.in_(members))
        return [(row.id, rows.event(row)) for row in self._connection.execute(query)]

    def secret(self, name: str) -> SecretValue | None:
        row = self._one(schema.secrets, name=name)
        if row is None:
            return None
        text = open_data(self._seal, row.sealed_value, f"secrets/{name}")
        return SecretValue(text=text, is_document=row.is_document)

    def secrets(self) -> Sequence[StoredSecret]:
        table = schema.secrets
        return [
            StoredSecret(
                name=row.name,
                created_at=to_moment(row.created_at),
                updated_at=to_moment(row.updated_at),
                is_document=row.is_document,
            )
            for row in self._connection.execute(select(table).order_by(table.c.name))
        ]

    def manifests(self) -> Mapping[str, tuple[str, PluginManifest]]:
        found = self._connection.execute(select(schema.manifests).order_by(schema.manifests.c.name))
        return {row.name: (row.fingerprint, rows.manifest(from_json(row.document))) for row in found}

    def dump(self, *, without_secrets: bool) -> Iterator[list[Any]]:
        return dump(self._connection, self._seal, without_secrets=without_secrets)

    def remembered(self, deployment: DeploymentId) -> Mapping[str, str]:
        table = schema.remembered
        found = self._connection.execute(select(table).where(table.c.deployment_id == deployment))
        return {
            row.key: open_data(self._seal, row.sealed_value, remembered_owner(deployment, row.key)) for row in found
        }

    def updates(
        self, *, deployment: DeploymentId | None = None, execution: ExecutionId | None = None
    ) -> Sequence[Update]:
        query = _UPDATES.order_by(schema.deployment_updates.c.created_at, schema.deployment_updates.c.id)
        if deployment is not None:
            query = query.where(schema.deployment_updates.c.deployment_id == deployment)
        if execution is not None:
            query = query.where(schema.deployment_updates.c.execution_id == execution)
        return [update_of(row, row.status, self._seal) for row in self._connection.execute(query)]

    def update(self, id: UpdateId) -> Update | None:
        row = self._connection.execute(_UPDATES.where(schema.deployment_updates.c.id == id)).one_or_none()
        return None if row is None else update_of(row, row.status, self._seal)

    def deployment_groups(self) -> Sequence[DeploymentGroup]:
        table = schema.deployment_groups
        return [group_of(row, self._seal) for row in self._connection.execute(select(table).order_by(table.c.id))]

    def deployment_group(self, id: GroupId) -> DeploymentGroup | None:
        row = self._one(schema.deployment_groups, id=id)
        return None if row is None else group_of(row, self._seal)

    def members(self, group: GroupId) -> Sequence[DeploymentId]:
        table, made = schema.group_members, schema.deployments
        query = (
            select(made.c.id)
            .join(table, table.c.deployment_id == made.c.id)
            .where(table.c.group_id == group)
            .order_by(made.c.created_at, made.c.id)
        )
        return [DeploymentId(row.id) for row in self._connection.execute(query)]

    def execution_groups(self) -> Sequence[ExecutionGroup]:
        table = schema.execution_groups
        found = self._connection.execute(select(table).order_by(table.c.created_at, table.c.id))
        return [execution_group_of(row) for row in found]

    def execution_group(self, id: ExecutionGroupId) -> ExecutionGroup | None:
        row = self._one(schema.execution_groups, id=id)
        return None if row is None else execution_group_of(row)

    def running_since(self, execution: ExecutionId) -> Mapping[int, datetime]:
        table = schema.attempts
        query = (
            select(table.c.task, func.max(table.c.started_at).label("began"))
            .where(table.c.execution_id == execution, table.c.ended_at.is_(None))
            .group_by(table.c.task)
        )
        return {row.task: to_moment(row.began) for row in self._connection.execute(query)}

    def _many(self, query: Select[Any]) -> Iterator[Row[Any]]:
        """Yield what a query finds, fetched by the thousand: one by one costs as much again."""
        for some in self._connection.execute(query).partitions(_PAGE):
            yield from some

    def _one(self, table: Table, columns: Sequence[Column[Any]] = (), /, **keys: str | int) -> Any:
        query = select(*(columns or table.columns)).where(*(table.c[name] == value for name, value in keys.items()))
        return self._connection.execute(query).one_or_none()


def remembered_owner(deployment: str, key: str) -> str:
    """Return the name that a remembered fact is sealed for."""
    return f"remembered/{deployment}/{key}"
