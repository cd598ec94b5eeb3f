"""Deployments: made from a blueprint and inputs, read, and deleted when nothing needs them.

How they stand is told by `standing`.
"""

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.blueprint import Output, Scalable
from groundplan.model.deployment import (
    Dependency,
    DependencyKind,
    Deployment,
    InstanceState,
    NodeInstance,
    Owner,
    Scaling,
)
from groundplan.model.group import DeploymentGroup
from groundplan.model.ids import BlueprintId, DeploymentId, GroupId, InstanceId
from groundplan.model.labels import PARENT
from groundplan.model.schedule import Schedule
from groundplan.model.values import Data, from_data, reveal
from groundplan.planning.inputs import InputFault, resolve_inputs
from groundplan.planning.instances import make_instances
from groundplan.planning.static import capability_uses, environment_needs, try_blueprint
from groundplan.runtime.containment import Containment
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.runtime.world import World
from groundplan.service import identifiers
from groundplan.service.entities import Entities
from groundplan.service.home import Home
from groundplan.service.labelling import display_name, refuse_labels, with_functions, with_literals
from groundplan.service.scheduling import default_schedules
from groundplan.state.store import Snapshot, Store, StoredBlueprint, Transaction

# A folder of the home is named after it: `.` and `..` would be other folders.
_ID: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,256}")
_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})


class InputsRefused(UsageError):
    """Inputs cannot be used; `faults` has each reason."""

    def __init__(self, what: str, faults: Sequence[InputFault], *, fix: str = "") -> None:
        lines = [f"{fault.message} {fault.fix}".rstrip() for fault in faults]
        super().__init__("\n".join([what, *(f"  - {line}" for line in lines)]), fix=fix)
        self.faults = faults


@dataclass(frozen=True, kw_only=True, slots=True)
class NewDeployment:
    """What a deployment is to be made of.

    Attributes:
        inputs: supplied values, functions as written.
        owner: the component that makes it, or None when a person does.
    """

    id: DeploymentId
    blueprint: BlueprintId
    inputs: Mapping[str, Data] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    display_name: str = ""
    owner: Owner | None = None


def create(store: Store, library: Library, new: NewDeployment, now: datetime) -> Deployment:
    """Make a deployment with its instances; nothing of it runs yet.

    Raises:
        Conflict: there is a deployment of that id.
        NotFound: there is no such blueprint.
        UsageError: the id, the inputs, or what can be evaluated now is wrong; nothing is stored.
    """
    with store.transaction() as transaction:
        return create_in(transaction, library, new, now)


def create_in(transaction: Transaction, library: Library, new: NewDeployment, now: datetime) -> Deployment:
    """Make a deployment in a transaction of the caller's; see `create`."""
    refuse_malformed(new.id, "deployment")
    if transaction.deployment(new.id) is not None:
        raise Conflict(
            f"There is a deployment {new.id!r} already.",
            fix=f"Choose another id, or take that one away first: groundplan uninstall {new.id}",
        )
    labels = {key.lower(): tuple(values) for key, values in new.labels.items()}
    refuse_labels(transaction, new.id, labels)
    stored = stored_blueprint(transaction, new.blueprint)
    blueprint = library.blueprint(transaction, stored.digest)
    unmade = Deployment(id=new.id, blueprint=new.blueprint, digest=stored.digest, created_at=now)
    entities = Entities(transaction, library, unmade, blueprint)
    resolved = resolve_inputs(
        blueprint.inputs, blueprint.data_types, new.inputs, evaluate=entities.evaluate, exists=entities.wrong
    )
    if resolved.faults:
        what = f"The inputs of deployment {new.id!r} cannot be used:"
        raise InputsRefused(what, resolved.faults, fix=inputs_hint(new.blueprint))
    deployment = Deployment(
        id=new.id,
        blueprint=new.blueprint,
        digest=stored.digest,
        created_at=now,
        inputs=resolved.values,
        labels=with_literals(labels, blueprint),
        display_name=new.display_name or new.id,
        owner=new.owner,
    )
    evaluator = Evaluator.within(library, transaction)
    world = World(deployment, blueprint, ())
    try_values(world, evaluator)
    require_environment(transaction, library, world, evaluator)
    counts = counts_of(world, evaluator)
    instances = make_instances(blueprint, counts, identifiers.instance_id)
    deployment = replace(
        deployment,
        scaling=Scaling(counts=counts),
        labels=with_functions(world, evaluator),
        display_name=new.display_name or display_name(world, evaluator) or new.id,
    )
    transaction.add_deployment(deployment, instances)
    note_capability_uses(transaction, library, new.id)
    for schedule in schedules_of(world, evaluator, now):
        transaction.put_schedule(schedule)
    _join_default_groups(transaction, world, evaluator, now)
    return deployment


def inputs_hint(blueprint: BlueprintId) -> str:
    """Return where people see which inputs a blueprint takes, and how they are given."""
    return f"Give inputs with -i NAME=VALUE; see those that there are: groundplan blueprints inputs {blueprint}"


def refuse_malformed(id: str, noun: str) -> None:
    """Refuse what cannot be the id of a deployment or a group.

    Raises:
        UsageError: says what an id is made of.
    """
    if not _ID.fullmatch(id):
        raise UsageError(
            f"{id!r} cannot be the id of a {noun}.",
            fix="Use letters, digits, hyphens, dots and underscores, at most 256.",
        )


def require_environment(snapshot: Snapshot, library: Library, world: World, evaluator: Evaluator) -> None:
    """Make sure that the environment of a deployment offers what its blueprint reads there (spec 3.5).

    Raises:
        UsageError: there is none, or it lacks capabilities.
    """
    own, needed = world.deployment, environment_needs(world.blueprint, evaluator.lookup(world))
    if not needed:
        return
    named = own.labels.get(PARENT, ())
    if not named:
        raise UsageError(
            f"Deployment {own.id!r} reads capabilities of its environment, and has none.",
            fix=f"Name it: --labels {PARENT}:ENVIRONMENT",
        )
    environment = existing(snapshot, DeploymentId(named[0]))
    offered = library.blueprint(snapshot, environment.digest).capabilities
    lines = [f"  - {name} (in {path})" for name, path in needed.items() if name not in offered]
    if lines:
        raise UsageError(
            "\n".join([f"Environment {environment.id!r} lacks capabilities that deployment {own.id!r} reads:", *lines])
        )


def note_capability_uses(transaction: Transaction, library: Library, id: DeploymentId) -> None:
    """Have a deployment depend on those whose capabilities its blueprint reads (spec 6.4)."""
    world = library.world(transaction, existing(transaction, id))
    for use in capability_uses(world.blueprint, Evaluator.within(library, transaction).lookup(world)):
        if use.target is not None and transaction.deployment(use.target) is not None:
            transaction.put_dependency(
                Dependency(
                    id=f"{use.path}.{use.function}", kind=DependencyKind.CAPABILITY, source=id, target=use.target
                )
            )


def existing(snapshot: Snapshot, id: DeploymentId) -> Deployment:
    """Return a deployment.

    Raises:
        NotFound: there is none of that id.
    """
    found = snapshot.deployment(id)
    if found is None:
        near = suggest(id, [item.id for item in snapshot.deployments()])
        raise NotFound(
            f"There is no deployment {id!r}.",
            fix=f"Did you mean {near!r}?" if near else "See those that there are: groundplan deployments list",
        )
    return found


def instance(snapshot: Snapshot, deployment: DeploymentId, id: InstanceId) -> NodeInstance:
    """Return a node instance.

    Raises:
        NotFound: there is no such deployment, or it has no such instance.
    """
    existing(snapshot, deployment)
    found = snapshot.instance(deployment, id)
    if found is None:
        near = suggest(id, [item.id for item in snapshot.instances(deployment)])
        raise NotFound(
            f"Deployment {deployment!r} has no node instance {id!r}.",
            fix=f"Did you mean {near!r}?" if near else f"See those: groundplan node-instances list -d {deployment}",
        )
    return found


def installation(instances: Sequence[NodeInstance]) -> str:
    """Return `active` when every instance is started, else `inactive` (spec 5.11)."""
    started = all(instance.state is InstanceState.STARTED for instance in instances)
    return "active" if started else "inactive"


def remains(store: Store, id: DeploymentId) -> Sequence[str]:
    """Return what still exists of a deployment: its node instances, and the deployments that its components made."""
    with store.snapshot() as snapshot:
        instances = [f"node instance {item.id}" for item in snapshot.instances(id) if item.state not in _GONE]
        children = [
            f"deployment {item.id}"
            for item in snapshot.deployments()
            if item.owner is not None and item.owner.deployment == id
        ]
    return [*instances, *children]


def outputs(store: Store, library: Library, id: DeploymentId) -> Mapping[str, tuple[Data, str | None]]:
    """Return each output's value, `Sensitive` inside, and its description."""
    return _evaluated(store, library, id, "outputs")


def capabilities(store: Store, library: Library, id: DeploymentId) -> Mapping[str, tuple[Data, str | None]]:
    """Return each capability's value, `Sensitive` inside, and its description."""
    return _evaluated(store, library, id, "capabilities")


def delete(
    store: Store, home: Home, id: DeploymentId, *, force: bool = False, recursive: bool = False
) -> Sequence[DeploymentId]:
    """Forget a deployment; return which were forgotten.

    Args:
        recursive: those that stand in it first, and in those; all of them or none.

    Raises:
        NotFound: there is none of that id.
        Conflict: something runs in it, instances of it still exist, or others need it; `force` overrides the
            latter two.
    """
    with store.transaction() as transaction:
        existing(transaction, id)
        below = Containment(transaction).below(id) if recursive else ()
        gone = [*reversed(below), id]
        for each in gone:
            delete_in(transaction, each, force=force, besides=gone)
    for folder in chain.from_iterable(map(home.folders_of, gone)):
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def delete_in(
    transaction: Transaction, id: DeploymentId, *, force: bool = False, besides: Collection[DeploymentId] = ()
) -> None:
    """Forget a deployment in a transaction of the caller's; see `delete`."""
    existing(transaction, id)
    running = [item.id for item in transaction.executions(deployment=id) if not item.status.is_final]
    if running:
        raise Conflict(f"Deployment {id!r} has an execution that has not ended: {running[0]}.")
    if not force:
        refuse_if_needed(transaction, id, "deleted", besides=besides)
        alive = [item.id for item in transaction.instances(id) if item.state not in _GONE]
        if alive:
            raise Conflict(
                f"Deployment {id!r} still has node instances: {', '.join(alive[:5])}.",
                fix=f"Uninstall it first: groundplan executions start uninstall -d {id}",
            )
    transaction.delete_deployment(id)


def refuse_if_needed(
    snapshot: Snapshot,
    id: DeploymentId,
    verb: str,
    *,
    on_behalf_of: DeploymentId | None = None,
    besides: Collection[DeploymentId] = (),
) -> None:
    """Refuse what would take a deployment away from others that need it, or from those in it (spec 6.4).

    Args:
        on_behalf_of: the deployment whose own component asks; its need does not count.
        besides: deployments whose need does not count, since the same happens to them.

    Raises:
        Conflict: names those that need it.
    """
    users: list[str] = []
    for item in snapshot.dependencies(target=id):
        installed = installation_of(snapshot, item.source)
        if item.source == on_behalf_of or item.source in besides:
            continue
        if item.kind is DependencyKind.CAPABILITY and not installed:
            continue
        users.append(f"  [{len(users) + 1}] {item.source} ({item.kind}{f', node {item.node}' if item.node else ''})")
    for inside in Containment(snapshot).within(id):
        if inside not in besides and installation_of(snapshot, inside):
            users.append(f"  [{len(users) + 1}] {inside} (stands in it)")
    if users:
        raise Conflict(f"Deployment {id!r} cannot be {verb}: others need it.\n" + "\n".join(users))


def installation_of(snapshot: Snapshot, id: DeploymentId) -> bool:
    """Whether anything of a deployment exists."""
    return any(item.state not in _GONE for item in snapshot.instances(id))


def _evaluated(store: Store, library: Library, id: DeploymentId, section: str) -> Mapping[str, tuple[Data, str | None]]:
    with store.snapshot() as snapshot:
        world = library.world(snapshot, existing(snapshot, id))
        declared: Mapping[str, Output] = getattr(world.blueprint, section)
        values = Evaluator.within(library, snapshot).outputs(world, declared, section)
    return {name: (values[name], output.description) for name, output in declared.items() if name in values}


def try_values(world: World, evaluator: Evaluator, verb: str = "made") -> None:
    """Try what needs nothing of the run: an unknown secret or a missing key is told before anything is stored."""
    faults = try_blueprint(world.blueprint, evaluator.lookup(world))
    if faults:
        lines = [f"  - {fault.message}{f' (in {fault.path})' if fault.path else ''}" for fault in faults]
        raise UsageError("\n".join([f"Deployment {world.deployment.id!r} cannot be {verb}:", *lines]))


def stored_blueprint(snapshot: Snapshot, id: BlueprintId) -> StoredBlueprint:
    """Return an uploaded blueprint.

    Raises:
        NotFound: there is none of that id.
    """
    found = snapshot.blueprint(id)
    if found is None:
        known = ", ".join(item.id for item in snapshot.blueprints()) or "none"
        raise NotFound(f"There is no blueprint {id!r}; uploaded are: {known}.")
    return found


def schedules_of(world: World, evaluator: Evaluator, now: datetime) -> Sequence[Schedule]:
    """Return the schedules that a blueprint asks for, of a deployment that is made or updated now."""
    found = _setting(world, evaluator, "default_schedules")
    return default_schedules(world.deployment.id, world.blueprint, found, now) if found else []


def _join_default_groups(transaction: Transaction, world: World, evaluator: Evaluator, now: datetime) -> None:
    """Have a deployment belong to the groups that its blueprint names; those that are not there are made."""
    for name in _setting(world, evaluator, "default_groups") or ():
        group = GroupId(str(reveal(name)))
        refuse_malformed(group, "group")
        if transaction.deployment_group(group) is None:
            transaction.put_deployment_group(DeploymentGroup(id=group, created_at=now))
        transaction.add_members(group, [world.deployment.id])


def _setting(world: World, evaluator: Evaluator, name: str) -> Data:
    """Return one of the blueprint's deployment settings, evaluated; None where it is not set."""
    settings = world.blueprint.deployment_settings
    written = settings.get(name) if isinstance(settings, dict) else None
    if not written:
        return None
    return evaluator.outputs(world, {name: Output(value=from_data(written))}, "deployment_settings")[name]


def counts_of(world: World, evaluator: Evaluator) -> dict[str, int]:
    """Return how many instances each node and scaling group has in each instance of what it is inside of.

    Raises:
        UsageError: one of the counts is no whole number from 0 on.
    """
    counts: dict[str, int] = {}
    scalables: dict[str, Scalable] = {name: node.instances for name, node in world.blueprint.nodes.items()}
    scalables |= {name: group.instances for name, group in world.blueprint.scaling_groups.items()}
    for name, scalable in scalables.items():
        wanted = Output(value=scalable.default_instances)
        found = reveal(evaluator.outputs(world, {name: wanted}, "default_instances")[name])
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise UsageError(f"{name!r} is to have {found!r} instances; a whole number from 0 on is expected.")
        counts[name] = found
    return counts
