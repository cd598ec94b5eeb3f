"""Works out what an update would change: the wanted content and inputs, the steps, the instances (spec 5.10).

It writes nothing. `updates` begins and concludes what is worked out here; what differs is found by `planning.changes`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from groundplan.diagnostics.trouble import NotFound, UsageError
from groundplan.model.blueprint import Blueprint
from groundplan.model.deployment import Deployment, InstanceState, NodeInstance
from groundplan.model.execution import ParentTask
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, InstanceId
from groundplan.model.types import Constraint
from groundplan.model.update import Update, UpdateState
from groundplan.model.values import Data
from groundplan.planning.changes.difference import Reshaped, find_difference
from groundplan.planning.changes.steps import Form, Steps, Unsupported, find_steps
from groundplan.planning.changes.transition import join
from groundplan.planning.changes.wishes import Flags, Wishes
from groundplan.planning.inputs import resolve_inputs, supplied_values
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.runtime.world import World
from groundplan.service import blueprints, deployments
from groundplan.service.entities import Entities
from groundplan.service.finding import find_workflow
from groundplan.service.labelling import with_functions, with_literals
from groundplan.state.store import Snapshot

_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUpdate(Flags):
    """What a deployment is to become, and how.

    Attributes:
        blueprint: None for the blueprint that it has.
        content: what that blueprint says, where it is not uploaded; for previews only.
        inputs: laid over the current ones.
        drift_only: neither blueprint nor inputs change; what has drifted is set right.
        workflow: the workflow that does it instead of the built-in one; empty for that.
        reinstall: instances that are reinstalled whatever has changed.
        convert: make integers, floats and booleans of texts where those are declared (`auto_correct_types`).
        force: although others need the deployment, or something runs in it.
        by: who asks.
    """

    deployment: DeploymentId
    blueprint: BlueprintId | None = None
    content: Blueprint | None = None
    inputs: Mapping[str, Data] = field(default_factory=dict)
    drift_only: bool = False
    workflow: str = ""
    reinstall: tuple[InstanceId, ...] = ()
    convert: bool = False
    force: bool = False
    by: str = ""
    parent: ParentTask | None = None


class UpdateRefused(UsageError):
    """Something differs that an update cannot change; `unsupported` has each difference."""

    def __init__(self, deployment: DeploymentId, unsupported: Sequence[Unsupported]) -> None:
        lines = [f"  - {item.message} (in {item.path}) = fix: {item.fix}" for item in unsupported]
        super().__init__("\n".join([f"Deployment {deployment!r} cannot be updated so:", *lines]))
        self.unsupported = unsupported


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """An update that is worked out and not yet begun."""

    deployment: Deployment
    blueprint: BlueprintId
    digest: Digest
    old: Blueprint
    new: Form
    joined: Form
    found: Steps
    reshaped: Reshaped
    instances: Sequence[NodeInstance]
    counts: Mapping[str, int]
    labels: Mapping[str, tuple[str, ...]]
    wishes: Wishes
    notes: tuple[str, ...]

    @property
    def relinked(self) -> Sequence[NodeInstance]:
        """The instances that there are, linked as they will be."""
        changed = {item.id: item for item in self.reshaped.relinked}
        return [changed.get(item.id, item) for item in self.instances]


def prepare(snapshot: Snapshot, library: Library, new: NewUpdate, name: Callable[[str], str]) -> Prepared:
    """Work out an update; nothing is written.

    Args:
        name: makes an id for an instance of the node that it is told.

    Raises:
        NotFound: there is no such deployment, blueprint, workflow or instance.
        UpdateRefused: something differs that an update cannot change.
        UsageError: nothing is to be updated, or inputs or values of the new blueprint are wrong.
    """
    deployment = deployments.existing(snapshot, new.deployment)
    _refuse_nothing(new)
    old = Form(blueprint=library.blueprint(snapshot, deployment.digest), inputs=deployment.inputs)
    blueprint, digest = _wanted(snapshot, deployment, new)
    after = new.content or library.blueprint(snapshot, digest)
    if new.workflow:
        find_workflow(after, new.workflow, "The new blueprint")
    entities = Entities(snapshot, library, replace(deployment, inputs={}), after)
    form = Form(blueprint=after, inputs=_inputs(deployment, after, new, entities))
    found = find_steps(old, form)
    if found.unsupported:
        raise UpdateRefused(new.deployment, found.unsupported)
    joined = join(old, form)
    labels = with_literals(deployment.labels, after)
    world = World(replace(deployment, inputs=form.inputs, digest=digest, labels=labels), after, ())
    evaluator = Evaluator.within(library, snapshot)
    deployments.try_values(world, evaluator, "updated")
    deployments.require_environment(snapshot, library, world, evaluator)
    labels = with_functions(world, evaluator)
    instances = snapshot.instances(new.deployment)
    counts = {
        name: number
        for name, number in deployments.counts_of(world, evaluator).items()
        if name not in old.blueprint.nodes and name not in old.blueprint.scaling_groups
    }
    reshaped = find_difference(
        old.blueprint, after, found.steps, instances, counts, name, finish=_is_unfinished(snapshot, deployment.id)
    )
    wishes, notes = _wishes(new, reshaped, instances)
    return Prepared(
        deployment=deployment,
        blueprint=blueprint,
        digest=digest,
        old=old.blueprint,
        new=form,
        joined=joined,
        found=found,
        reshaped=reshaped,
        instances=instances,
        counts={**deployment.scaling.counts, **counts},
        labels=labels,
        wishes=wishes,
        notes=(*found.notes, *notes),
    )


def _refuse_nothing(new: NewUpdate) -> None:
    named = new.blueprint is not None or new.content is not None
    if new.drift_only and (named or new.inputs):
        raise UsageError("A drift-only update changes neither blueprint nor inputs.", fix="Leave out one or the other.")
    if not (new.drift_only or named or new.inputs or new.reinstall):
        raise UsageError(
            f"Nothing says what is to become of deployment {new.deployment!r}.",
            fix="Name a blueprint (-b or -p), inputs (-i), or --drift-only.",
        )


def _wanted(snapshot: Snapshot, deployment: Deployment, new: NewUpdate) -> tuple[BlueprintId, Digest]:
    """Return the blueprint that the deployment is to have, and its content."""
    if new.content is not None:
        return new.blueprint or deployment.blueprint, Digest("")
    if new.blueprint is not None:
        return new.blueprint, blueprints.existing(snapshot, new.blueprint).digest
    last = _last(snapshot, deployment.id)
    if last is not None and last.transition == deployment.digest:
        # An update before this one did not end well: what it was to bring about is what is wanted.
        return deployment.blueprint, last.digest
    return deployment.blueprint, deployment.digest


def _last(snapshot: Snapshot, deployment: DeploymentId) -> Update | None:
    """Return the newest update that is more than a preview."""
    found = [item for item in snapshot.updates(deployment=deployment) if item.execution is not None]
    return found[-1] if found else None


def _is_unfinished(snapshot: Snapshot, deployment: DeploymentId) -> bool:
    last = _last(snapshot, deployment)
    return last is not None and last.state is not UpdateState.SUCCESSFUL


def _inputs(deployment: Deployment, blueprint: Blueprint, new: NewUpdate, entities: Entities) -> Mapping[str, Data]:
    """Return the inputs after the update: those given over the current ones that the blueprint still declares.

    What a current one names may be gone by now; only what is given now must exist.
    """
    given = supplied_values(new.inputs)

    def exists(type_name: str, value: Data, constraints: Sequence[Constraint]) -> str | None:
        return entities.wrong(type_name, value, constraints) if value in given else None

    current = {
        name: value for name, value in deployment.inputs.items() if name in blueprint.inputs and value is not None
    }
    resolved = resolve_inputs(
        blueprint.inputs,
        blueprint.data_types,
        {**current, **new.inputs},
        evaluate=entities.evaluate,
        exists=exists,
        convert=new.convert,
    )
    if resolved.faults:
        raise deployments.InputsRefused(
            f"The inputs of deployment {deployment.id!r} cannot be used with the new blueprint:",
            resolved.faults,
            fix=deployments.inputs_hint(new.blueprint or deployment.blueprint),
        )
    return resolved.values


def _wishes(new: NewUpdate, reshaped: Reshaped, instances: Sequence[NodeInstance]) -> tuple[Wishes, tuple[str, ...]]:
    known = {item.id for item in instances}
    unknown = [id_ for id_ in new.reinstall if id_ not in known]
    if unknown:
        raise NotFound(
            f"Deployment {new.deployment!r} has no node instance {unknown[0]!r}.",
            fix=f"See those that there are: groundplan node-instances list -d {new.deployment}",
        )
    installed = any(item.state not in _GONE for item in instances) or not instances
    notes = () if installed else ("Nothing of the deployment is installed, so nothing is installed now.",)
    wishes = Wishes(
        difference=reshaped.difference,
        reinstall=new.reinstall,
        **{**new.by_name(), "skip_install": new.skip_install or not installed},
    )
    return wishes, notes
