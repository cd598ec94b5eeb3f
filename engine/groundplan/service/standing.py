"""How deployments stand (spec 5.11): from the states of their instances, what is noted of them, their latest execution,
and the deployments below them. Reads only; `deployments` makes and deletes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundplan.model.deployment import Dependency, Deployment, InstanceState, NodeInstance
from groundplan.model.execution import Execution, ExecutionStatus
from groundplan.model.ids import DeploymentId
from groundplan.model.labels import PARENT
from groundplan.planning.health import is_available, is_drifted
from groundplan.service.deployments import existing, installation
from groundplan.state.store import Snapshot, Store

TYPE_LABEL: Final = "csys-obj-type"
ENVIRONMENT: Final = "environment"
_GONE: Final = frozenset({InstanceState.UNINITIALIZED, InstanceState.DELETED})
_BAD_ENDS: Final = frozenset({ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


class Standing(StrEnum):
    """How a deployment does as a whole; the later, the worse."""

    GOOD = "good"
    IN_PROGRESS = "in_progress"
    REQUIRES_ATTENTION = "requires_attention"


@dataclass(frozen=True, kw_only=True, slots=True)
class Below:
    """The deployments of one kind whose parent a deployment is: how many, and the worst of their standings."""

    count: int = 0
    standing: Standing | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentStatus:
    """A deployment with how it stands.

    Attributes:
        installation: `active` when every instance is started, else `inactive`.
        latest: its latest execution, or None.
        instances: how many node instances it has; those that a modification under way adds are not among them.
        planned: how many it has when that is finished.
        unavailable: how many instances failed their last check of status.
        drifted: how many instances were found to be other than declared.
    """

    deployment: Deployment
    installation: str
    standing: Standing
    latest: Execution | None
    instances: int = 0
    planned: int = 0
    unavailable: int = 0
    drifted: int = 0
    services: Below = Below()
    environments: Below = Below()
    dependents: Sequence[Dependency] = ()


def status(snapshot: Snapshot, id: DeploymentId) -> DeploymentStatus:
    """Return how a deployment stands.

    Raises:
        NotFound: there is none of that id.
    """
    return _Survey(snapshot).status(existing(snapshot, id))


def listing(store: Store) -> Sequence[DeploymentStatus]:
    """Return all deployments with how they stand, oldest first."""
    with store.snapshot() as snapshot:
        survey = _Survey(snapshot)
        return [survey.status(deployment) for deployment in survey.deployments]


class _Survey:
    """Reads deployments once, and each one's standing once, however many are above it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.deployments = snapshot.deployments()
        self._snapshot = snapshot
        self._children: dict[str, list[Deployment]] = {}
        self._known: dict[DeploymentId, DeploymentStatus] = {}
        self._asked: set[DeploymentId] = set()
        for item in self.deployments:
            for parent in item.labels.get(PARENT, ()):
                self._children.setdefault(parent, []).append(item)

    def status(self, deployment: Deployment) -> DeploymentStatus:
        known = self._known.get(deployment.id)
        if known is None:
            known = self._known[deployment.id] = self._look(deployment)
        return known

    def _look(self, deployment: Deployment) -> DeploymentStatus:
        snapshot, own = self._snapshot, deployment.id
        self._asked.add(own)
        executions = snapshot.executions(deployment=own)
        latest = executions[-1] if executions else None
        instances = snapshot.instances(own)
        installed = installation(instances)
        below = self._below(deployment)
        begun = deployment.scaling.modification
        return DeploymentStatus(
            deployment=deployment,
            installation=installed,
            standing=_standing(latest, installed, below.values()),
            latest=latest,
            instances=len(instances) - (0 if begun is None else len(begun.added)),
            planned=len(instances) - (0 if begun is None else len(begun.removed)),
            unavailable=sum(is_available(item) is False for item in _there(instances)),
            drifted=sum(is_drifted(item) for item in _there(instances)),
            services=below[False],
            environments=below[True],
            dependents=snapshot.dependencies(target=own),
        )

    def _below(self, deployment: Deployment) -> Mapping[bool, Below]:
        """Return the deployments below; those in a circle of parents count once."""
        kinds: dict[bool, list[Standing]] = {False: [], True: []}
        for child in self._children.get(deployment.id, ()):
            if child.id in self._known or child.id not in self._asked:
                kinds[ENVIRONMENT in child.labels.get(TYPE_LABEL, ())].append(self.status(child).standing)
        return {kind: _worst(standings) for kind, standings in kinds.items()}


def _there(instances: Sequence[NodeInstance]) -> list[NodeInstance]:
    return [item for item in instances if item.state not in _GONE]


def _worst(standings: Sequence[Standing]) -> Below:
    if not standings:
        return Below()
    order = list(Standing)
    return Below(count=len(standings), standing=max(standings, key=order.index))


def _standing(latest: Execution | None, installed: str, below: Iterable[Below]) -> Standing:
    if latest is not None and not latest.status.is_final:
        return Standing.IN_PROGRESS
    if latest is not None and latest.status is ExecutionStatus.FAILED:
        return Standing.REQUIRES_ATTENTION
    if installed != "active" or any(item.standing is Standing.REQUIRES_ATTENTION for item in below):
        return Standing.REQUIRES_ATTENTION
    return Standing.GOOD


def unwell(found: DeploymentStatus) -> Sequence[str]:
    """Return why a deployment is not well, for a component's check of its child (spec 6.1); nothing when it is."""
    reasons = [] if found.installation == "active" else [f"its installation is {found.installation}"]
    latest = found.latest
    if latest is not None and latest.status in _BAD_ENDS:
        reasons.append(f"its last execution {latest.id} ({latest.workflow}) was {latest.status}")
    if found.unavailable:
        reasons.append(f"{found.unavailable} of its node instances are unavailable")
    if found.drifted:
        reasons.append(f"{found.drifted} of its node instances have drifted")
    if found.standing is Standing.REQUIRES_ATTENTION and not reasons:
        reasons.append("a deployment below it requires attention")
    return reasons
