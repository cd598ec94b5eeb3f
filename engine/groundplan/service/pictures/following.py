"""Looks behind components: which uploaded blueprint one names, with the inputs and secrets that are at hand.

Nothing is made or stored; what only run time can tell stays closed.
"""

from collections.abc import Mapping
from datetime import datetime

from groundplan.model.blueprint import Blueprint, NodeTemplate
from groundplan.model.deployment import Deployment
from groundplan.model.ids import BlueprintId, DeploymentId, Digest
from groundplan.model.values import Data, Map, Seq, Value, reveal
from groundplan.planning.evaluate import EvaluationFault, Scope, evaluate
from groundplan.planning.inputs import resolve_inputs
from groundplan.runtime.evaluation import Evaluator
from groundplan.runtime.library import Library
from groundplan.runtime.world import World
from groundplan.service.deployments import InputsRefused
from groundplan.service.pictures import making
from groundplan.service.pictures.making import Behind
from groundplan.service.pictures.picture import Picture
from groundplan.state.store import Store


def picture(
    store: Store, library: Library, title: str, blueprint: Blueprint, inputs: Mapping[str, Data], now: datetime
) -> Picture:
    """Return the picture of a blueprint, with those uploaded ones inside that its components name.

    Args:
        inputs: as for a deployment; where none are given, those without a default are left open.

    Raises:
        InputsRefused: inputs are given that a deployment would not take.
    """
    resolved = resolve_inputs(blueprint.inputs, blueprint.data_types, inputs)
    if inputs and resolved.faults:
        raise InputsRefused("The inputs cannot be used:", resolved.faults)
    behind = _Behind(store, library, blueprint, resolved.values, now, ())
    return making.picture(title, blueprint, behind.component)


class _Behind:
    """Looks behind the components of one blueprint; `outer` names the blueprints that it stands in."""

    def __init__(
        self,
        store: Store,
        library: Library,
        blueprint: Blueprint,
        inputs: Mapping[str, Data],
        now: datetime,
        outer: tuple[BlueprintId, ...],
    ) -> None:
        imagined = Deployment(
            id=DeploymentId("picture"),
            blueprint=outer[-1] if outer else BlueprintId("picture"),
            digest=Digest(""),
            created_at=now,
            inputs=inputs,
        )
        self._store = store
        self._library = library
        self._now = now
        self._outer = outer
        self._lookup = Evaluator.of_store(library, store).lookup(World(imagined, blueprint, ()))

    def component(self, node: NodeTemplate) -> Behind:
        """Return what stands behind a component: a blueprint, or the words that say why none is shown."""
        config = node.properties.get("resource_config")
        config = config if isinstance(config, Map) else Map({})
        deployment = _part(config, "deployment")
        if node.is_a("cloudify.nodes.SharedResource"):
            shared = self._text(deployment.get("id"), node)
            return Behind(note=f"deployment {shared}" if shared else "")
        written = _part(config, "blueprint").get("id")
        chosen = self._text(written, node)
        if chosen is None:
            return Behind(note="blueprint chosen when it runs" if written is not None else "")
        named = BlueprintId(chosen)
        with self._store.snapshot() as snapshot:
            found = snapshot.blueprint(named)
            blueprint = None if found is None else self._library.blueprint(snapshot, found.digest)
        if blueprint is None:
            return Behind(
                note=f"blueprint {named}, not uploaded" if isinstance(written, str) else "blueprint not uploaded"
            )
        if named in self._outer:
            return Behind(note=f"blueprint {named}, as further out")
        inputs = resolve_inputs(blueprint.inputs, blueprint.data_types, self._inputs(deployment.get("inputs"), node))
        inner = _Behind(self._store, self._library, blueprint, inputs.values, self._now, (*self._outer, named))
        return Behind(note=f"blueprint {named}", blueprint=blueprint, open=inner.component)

    def _text(self, value: Value, node: NodeTemplate) -> str | None:
        found = self._evaluated(value, node)
        return found if isinstance(found, str) and found else None

    def _inputs(self, value: Value, node: NodeTemplate) -> Mapping[str, Data]:
        """Return those inputs of a child that can be told now."""
        if isinstance(value, Map):
            told = {name: self._evaluated(item, node) for name, item in value.items()}
            return {name: item for name, item in told.items() if item is not None}
        if isinstance(value, Seq):
            return {}
        found = self._evaluated(value, node)
        return found if isinstance(found, dict) else {}

    def _evaluated(self, value: Value, node: NodeTemplate) -> Data:
        """Return a value as it is now, or None where only run time can tell."""
        try:
            return reveal(evaluate(value, Scope.of_node(node.name), self._lookup))
        except EvaluationFault:
            return None


def _part(config: Map, name: str) -> Map:
    found = config.get(name)
    return found if isinstance(found, Map) else Map({})
