"""Stored plans as blueprints, each read once per process: plans never change under their digest."""

import threading

from groundplan.model.blueprint import Blueprint, from_plan
from groundplan.model.deployment import Deployment
from groundplan.model.ids import Digest
from groundplan.runtime.world import World
from groundplan.state.store import Snapshot, StoreFault


class Library:
    """The blueprints of a store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Digest, Blueprint] = {}

    def blueprint(self, snapshot: Snapshot, digest: Digest) -> Blueprint:
        """Return the blueprint of a digest.

        Raises:
            StoreFault: the store lost its plan.
        """
        with self._lock:
            known = self._known.get(digest)
        if known is not None:
            return known
        plan = snapshot.plan(digest)
        if plan is None:
            raise StoreFault(f"The store has no plan for the blueprint content {digest[:12]}.")
        blueprint = from_plan(plan)
        with self._lock:
            return self._known.setdefault(digest, blueprint)

    def world(self, snapshot: Snapshot, deployment: Deployment) -> World:
        """Return a deployment as it stands in the store."""
        blueprint = self.blueprint(snapshot, deployment.digest)
        return World(deployment, blueprint, snapshot.instances(deployment.id))
