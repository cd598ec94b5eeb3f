"""Groups of executions: one workflow on every deployment of a group, so many at once, read, ended and resumed together.

Each is an execution like any other and waits in the queue (`queue`) for its turn; whoever drives keeps to the group's
concurrency. What fails in one leaves the others alone.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from groundplan.diagnostics.trouble import UsageError
from groundplan.model.execution import Change, Event, Execution, ExecutionStatus
from groundplan.model.group import DEFAULT_CONCURRENCY, PAUSED, ExecutionGroup, status_of
from groundplan.model.ids import ExecutionGroupId, ExecutionId, GroupId
from groundplan.model.values import Data
from groundplan.runtime.library import Library
from groundplan.service import deployment_groups, executions, identifiers, queue
from groundplan.service.collecting import collect_all
from groundplan.state.store import Snapshot, Store, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """What is to be run on a group's deployments; see `executions.NewExecution`."""

    group: GroupId
    workflow: str
    parameters: Mapping[str, Data] = field(default_factory=dict)
    allow_custom_parameters: bool = False
    force: bool = False
    is_dry_run: bool = False
    concurrency: int = DEFAULT_CONCURRENCY
    success_group: GroupId | None = None
    failure_group: GroupId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A group of executions as it stands.

    Attributes:
        executions: oldest first; those that were deleted since are not among them.
    """

    group: ExecutionGroup
    executions: Sequence[executions.Listed]

    @property
    def status(self) -> ExecutionStatus:
        """How the group stands as a whole."""
        return status_of([item.execution.status for item in self.executions])

    @property
    def counts(self) -> Mapping[ExecutionStatus, int]:
        """How many executions have each status; in the order of an execution's life."""
        found = Counter(item.execution.status for item in self.executions)
        return {status: found[status] for status in ExecutionStatus if status in found}


def start(store: Store, library: Library, new: NewRun, now: datetime) -> ExecutionGroup:
    """Record an execution for each deployment of a group, queued; or none, when one is refused.

    Raises:
        NotFound: there is no such group, or a deployment of it has no such workflow.
        UsageError: the group is empty, or the parameters are wrong for one of its deployments.
    """
    with store.transaction() as transaction:
        members = deployment_groups.inhabited(transaction, new.group)
        group = ExecutionGroup(
            id=identifiers.execution_group_id(),
            group=new.group,
            workflow=new.workflow,
            created_at=now,
            concurrency=new.concurrency,
            is_forced=new.force,
            success_group=new.success_group,
            failure_group=new.failure_group,
        )
        _check_targets(transaction, group)
        transaction.put_execution_group(group)
        for number, member in enumerate(members):
            wanted = executions.NewExecution(
                deployment=member,
                workflow=new.workflow,
                parameters=new.parameters,
                allow_custom_parameters=new.allow_custom_parameters,
                is_dry_run=new.is_dry_run,
                group=group.id,
            )
            # Their turns come in the order of the deployments.
            executions.start_in(transaction, library, wanted, now + timedelta(microseconds=number))
        return group


def get_in(snapshot: Snapshot, id: ExecutionGroupId) -> ExecutionGroup:
    """Return a group of executions; a unique beginning of its id is enough.

    Raises:
        NotFound: there is none.
        UsageError: several begin so.
    """
    found = snapshot.execution_group(id)
    if found is not None:
        return found
    known = snapshot.execution_groups()
    return identifiers.by_beginning(known, id, noun="execution group", listing="executions groups list")


def get(store: Store, id: ExecutionGroupId, now: datetime) -> Run:
    """Return a group of executions as it stands; see `get_in`."""
    with store.snapshot() as snapshot:
        return _run(snapshot, get_in(snapshot, id), now)


def listing(store: Store, now: datetime, group: GroupId | None = None) -> Sequence[Run]:
    """Return the groups of executions, oldest first.

    Args:
        group: only those of one group of deployments.
    """
    with store.snapshot() as snapshot:
        return [_run(snapshot, item, now) for item in snapshot.execution_groups() if group in (None, item.group)]


def _run(snapshot: Snapshot, group: ExecutionGroup, now: datetime) -> Run:
    leases = snapshot.leases()
    found = snapshot.executions(group=group.id)
    return Run(group=group, executions=[executions.listed(item, leases, now) for item in found])


def end(store: Store, id: ExecutionGroupId, how: Change, now: datetime) -> Run:
    """Ask every execution of a group that has not ended to end; those that wait for their turn end at once.

    Raises:
        NotFound: there is no such group.
        UsageError: all have ended, or are ending already in that way or a stricter one.
    """
    ended = _each(store, id, _is_left, lambda one: executions.end(store, one, how, now))
    if not ended:
        raise UsageError(f"Nothing of execution group {id} is left to end in that way.")
    return get(store, id, now)


def resume(
    store: Store, id: ExecutionGroupId, now: datetime, *, reset_operations: bool = False, force: bool = False
) -> Run:
    """Have those executions of a group that failed or were cancelled wait for another turn; finished tasks stay so.

    Those that lost their driver need nothing: whoever drives the group takes them over.

    Args:
        reset_operations: see `executions.prepare_resume`.
        force: see `executions.prepare_resume`.

    Raises:
        NotFound: there is no such group.
        UsageError: all have succeeded.
    """

    def again(one: ExecutionId) -> Execution:
        return executions.prepare_resume(store, one, now, reset_operations=reset_operations, force=force, queue=True)

    resumed = _each(store, id, lambda item: item.status in _RESUMABLE, again)
    found = get(store, id, now)
    if not resumed and found.status is ExecutionStatus.TERMINATED:
        raise UsageError(f"Every execution of group {found.group.id} has succeeded; there is nothing to resume.")
    return found


_RESUMABLE = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


def _each(
    store: Store,
    id: ExecutionGroupId,
    wanted: Callable[[Execution], bool],
    act: Callable[[ExecutionId], Execution],
) -> Collection[ExecutionId]:
    """Do something with each execution of a group that is wanted, unless it changed meanwhile; return with which."""
    with store.snapshot() as snapshot:
        chosen = [item.id for item in snapshot.executions(group=get_in(snapshot, id).id) if wanted(item)]
    done = []
    for each in chosen:
        try:
            done.append(act(each).id)
        except UsageError:
            continue  # it ended, or is ending, by itself
    return done


def last_events(store: Store, id: ExecutionGroupId, most: int) -> Sequence[tuple[int, Event]]:
    """Return the latest events of a group's executions, oldest first."""
    with store.snapshot() as snapshot:
        latest = snapshot.events(group=get_in(snapshot, id).id, newest=True, limit=most)
    return [*reversed(latest)]


def set_success_group(store: Store, id: ExecutionGroupId, target: GroupId) -> ExecutionGroup:
    """Have the deployments whose execution succeeds, or did already, collected in a group.

    Raises:
        NotFound: there is no such group.
        UsageError: it is the failure group as well.
    """
    return _change(store, id, lambda group: replace(group, success_group=target))


def set_failure_group(store: Store, id: ExecutionGroupId, target: GroupId) -> ExecutionGroup:
    """Have the deployments whose execution fails, or did already, collected in a group; see `set_success_group`."""
    return _change(store, id, lambda group: replace(group, failure_group=target))


def set_concurrency(store: Store, id: ExecutionGroupId, concurrency: int) -> ExecutionGroup:
    """Change how many executions of a group run at once; what runs goes on. With 0 no further one begins."""
    return _change(store, id, lambda group: replace(group, concurrency=concurrency))


def _change(store: Store, id: ExecutionGroupId, changed: Callable[[ExecutionGroup], ExecutionGroup]) -> ExecutionGroup:
    with store.transaction() as transaction:
        group = changed(get_in(transaction, id))
        _check_targets(transaction, group)
        transaction.put_execution_group(group)
        collect_all(transaction, group)
        return group


def _check_targets(snapshot: Snapshot, group: ExecutionGroup) -> None:
    targets = [target for target in (group.success_group, group.failure_group) if target is not None]
    for target in targets:
        deployment_groups.existing(snapshot, target)
    if len(set(targets)) < len(targets):
        raise UsageError(f"Group {targets[0]!r} cannot collect both what succeeded and what failed.")


@dataclass(kw_only=True, slots=True)
class GroupSource:
    """Implements `runtime.serving.Source` for one group of executions, until all of them have ended.

    Attributes:
        most: how many executions run at once in the store.
        done: called when nothing of the group is left, or nothing will begin: it is paused and nothing runs.
        told: hears of each execution of the group that has ended.
        cancelling: set it to have all of them asked to end at the next look.
    """

    store: Store
    library: Library
    group: ExecutionGroupId
    clock: Callable[[], datetime]
    most: int
    say: Callable[[str], None]
    done: Callable[[], None]
    told: Callable[[Execution], None]
    cancelling: bool = False
    _ended: set[ExecutionId] | None = field(init=False, default=None)

    def seek(self, driving: Collection[ExecutionId]) -> Sequence[ExecutionId]:
        if not self.look():
            return []
        with self.store.snapshot() as snapshot:
            lines = queue.read_lines(snapshot, self.clock(), self.most)
            chosen = [item for item in lines.next if item.group == self.group]
            barred = {item.id: executions.refusal(snapshot, self.library, item) for item in chosen}
        for execution, why in barred.items():
            if why:
                self.refuse(execution, why)
        lost = [item.id for item in lines.lost if item.group == self.group and not item.on_temporal]
        return [id_ for id_ in (*lost, *(id_ for id_, why in barred.items() if not why)) if id_ not in driving]

    def look(self) -> bool:
        """Tell what has ended, whoever drove it, and return whether there is anything left to wait for."""
        if self.cancelling:
            self.cancel(Change.CANCEL)
        with self.store.snapshot() as snapshot:
            group = get_in(snapshot, self.group)
            found = snapshot.executions(group=self.group)
        ended = {item.id: item for item in found if item.status.is_final}
        for id_ in ended.keys() - (ended.keys() if self._ended is None else self._ended):
            self.told(ended[id_])
        self._ended = set(ended)
        left = [item for item in found if not item.status.is_final]
        if not left or (group.concurrency == PAUSED and all(map(_waits, left))):
            self.done()
            return False
        return True

    def cancel(self, how: Change) -> None:
        """Ask what has not ended to end, in a way that is stricter than before."""
        _each(self.store, self.group, _is_left, lambda one: executions.end(self.store, one, how, self.clock()))

    def refuse(self, execution: ExecutionId, why: str) -> None:
        with self.store.transaction() as transaction:
            executions.fail_in(transaction, execution, why, self.clock())

    def beat(self, transaction: Transaction, driving: int, *, draining: bool) -> None:
        """Nothing: only what serves a whole store is a worker of it."""

    def took(self, execution: Execution) -> None:
        if execution.group == self.group:
            again = "goes on with" if execution.stage else "runs"
            self.say(f"{again} {execution.workflow} of {execution.deployment} (execution {execution.id})")

    def lost(self, execution: Execution) -> None:
        self.say(f"another driver goes on with {execution.deployment} (execution {execution.id})")

    def ended(self, execution: Execution) -> None:
        """Nothing: the next look, which follows at once, tells it."""


def _is_left(execution: Execution) -> bool:
    return not execution.status.is_final


def _waits(execution: Execution) -> bool:
    return execution.status is ExecutionStatus.QUEUED
