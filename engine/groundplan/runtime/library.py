"""Stored plans as blueprints, each read once per process: plans never change under their digest."""

import threading

from groundplan.model.blueprint import Blueprint, from_plan
from groundplan.model.deployment import Deployment
from groundplan.model.ids import Digest
from groundplan.runtime.world import World
from groundplan.state.store import Snapshot, StoreFault


class NoPlan(StoreFault):
    """The store lost the plan of a blueprint: what needs it fails, and nothing else has to."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(
            f"The store has no plan for the blueprint content {digest[:12]}.",
            fix="Upload the blueprint again as it was, with the same digest; what failed can be resumed then.",
        )


class Library:
    """The blueprints of a store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Digest, Blueprint] = {}

    def blueprint(self, snapshot: Snapshot, digest: Digest) -> Blueprint:
        """Return the blueprint of a digest.

        Raises:
            NoPlan: the store lost it.
        """
        with self._lock:
            known = self._known.get(digest)
        if known is not None:
            return known
        plan = snapshot.plan(digest)
        if plan is None:
            raise NoPlan(digest)
        blueprint = from_plan(plan)
        with self._lock:
            return self._known.setdefault(digest, blueprint)

    def world(self, snapshot: Snapshot, deployment: Deployment) -> World:
        """Return a deployment as it stands in the store."""
        blueprint = self.blueprint(snapshot, deployment.digest)
        return World(deployment, blueprint, snapshot.instances(deployment.id))
