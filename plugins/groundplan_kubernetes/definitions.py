"""Which objects a node stands for: its `definition`, or those of the files beside the blueprint, in their order.

Every object leaves here complete: apiVersion, kind, name, namespace settled, and marked as the instance's own unless it
is external. Nothing is asked of a cluster.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan_kubernetes.client import parse_documents
from groundplan_kubernetes.cluster import DeleteOptions, named
from groundplan_kubernetes.ownership import OWNER, is_external, mark_of

_RBAC: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_RENAMED: Final = {
    (f"rbac.authorization.k8s.io/{old}", kind): "rbac.authorization.k8s.io/v1"
    for old in ("v1alpha1", "v1beta1")
    for kind in _RBAC
}
"""API versions that clusters no longer serve, where the one that took their place has the same fields.

Others are left alone on purpose: apps/v1 wants a selector that apps/v1beta1 did without, and networking.k8s.io/v1 has
other fields for an Ingress, so that renaming would change what an author means.
"""
_PACKAGES: Final = ("cloudify.kubernetes.resources.", "cloudify.nodes.kubernetes.resources.")
_KINDLESS: Final = frozenset(
    {"ResourceBase", "ResourceWithValidateStatus", "BlueprintDefinedResource", "CustomBlueprintDefinedResource"}
    | {"FileDefinedResource", "MultipleFileDefinedResources", "CustomObject"}
)
"""Node types that are not named after a kind."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One object as the author wants it.

    Attributes:
        namespace: where it lives, if its kind is one that lives in namespaces.
    """

    definition: Mapping[str, Any]
    namespace: str

    @property
    def name(self) -> str:
        """Kind and name, for people."""
        return named(self.definition)

    @property
    def uid(self) -> str:
        """Which object it is, for one that was noted; empty for one that an author wrote."""
        return str(self.definition["metadata"].get("uid") or "")

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same object; its API version may change, its group does not."""
        group = str(self.definition["apiVersion"]).rpartition("/")[0]
        return group, str(self.definition["kind"]), self.namespace, str(self.definition["metadata"]["name"])


def find_wanted(ctx: OperationContext, inputs: Mapping[str, Any]) -> Sequence[Wanted]:
    """Return the objects that the node stands for.

    Args:
        inputs: of the operation; `definition`, `file`, `files` and `options` win over the node's properties.

    Raises:
        NonRecoverableError: there is none, or one is incomplete.
    """
    options = _setting(ctx, inputs, "options") or {}
    found = [_complete(ctx, item, str(options.get("namespace") or "default")) for item in _items(ctx, inputs)]
    if not found:
        raise NonRecoverableError("The node's files hold no object.")
    return found


def deletion(ctx: OperationContext, inputs: Mapping[str, Any]) -> DeleteOptions:
    """Return how the node's objects are to be deleted, by `options`."""
    options = _setting(ctx, inputs, "options") or {}
    grace = options.get("grace_period_seconds")
    return DeleteOptions(
        propagation=str(options.get("propagation_policy") or "Foreground"),
        grace_seconds=None if grace is None else int(grace),
    )


def takes_over(ctx: OperationContext, inputs: Mapping[str, Any]) -> bool:
    """Return whether fields of the node's own objects that others changed are taken back, by `options`."""
    options = _setting(ctx, inputs, "options") or {}
    return options.get("force_conflicts") is not False


def recorded(items: object) -> Sequence[Wanted]:
    """Return the objects that an operation noted in the runtime properties, enough of them to find them again."""
    noted = items if isinstance(items, list) else [items]
    return [
        Wanted(
            definition={key: item[key] for key in ("apiVersion", "kind", "metadata")},
            namespace=str(item["metadata"].get("namespace") or "default"),
        )
        for item in noted
        if isinstance(item, Mapping) and {"apiVersion", "kind", "metadata"} <= item.keys()
    ]


def _setting(ctx: OperationContext, inputs: Mapping[str, Any], name: str) -> Any:
    return inputs.get(name) or ctx.node.properties.get(name)


def _items(ctx: OperationContext, inputs: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if definition := _setting(ctx, inputs, "definition"):
        if not isinstance(definition, Mapping):
            raise NonRecoverableError("The property definition is not a mapping.")
        return [deepcopy(dict(definition))]
    files = _setting(ctx, inputs, "files") or [_setting(ctx, inputs, "file")]
    return [item for file in files for item in _file(ctx, file)]


def _file(ctx: OperationContext, file: object) -> list[dict[str, Any]]:
    section = {"resource_path": file} if isinstance(file, str) else file
    if not isinstance(section, Mapping) or not section.get("resource_path"):
        raise NonRecoverableError("The node has neither a definition nor a file with a resource_path.")
    path = str(section["resource_path"])
    found: list[dict[str, Any]] = []
    for item in parse_documents(ctx.resources.render(path, section.get("template_variables") or {})):
        found += item["items"] if item.get("kind") == "List" else [item]
    return found


def _complete(ctx: OperationContext, item: dict[str, Any], namespace: str) -> Wanted:
    item["apiVersion"] = str(item.get("apiVersion") or "v1")
    item["kind"] = str(item.get("kind") or _kind_of_type(ctx))
    metadata = item["metadata"] = dict(item.get("metadata") or {})
    if not metadata.get("name"):
        raise NonRecoverableError(f"The definition of a {item['kind']} has no metadata.name.")
    served = _RENAMED.get((item["apiVersion"], item["kind"]))
    if served is not None:
        ctx.logger.warning(f"{item['apiVersion']} is gone from today's clusters; {served} is applied instead")
        item["apiVersion"] = served
    if not is_external(ctx):
        metadata["annotations"] = {**(metadata.get("annotations") or {}), OWNER: mark_of(ctx)}
    item.pop("status", None)
    return Wanted(definition=item, namespace=str(metadata.get("namespace") or namespace))


def _kind_of_type(ctx: OperationContext) -> str:
    """Return the kind that the node's type is named after, for a definition that names none."""
    for name in reversed(ctx.node.type_hierarchy):
        for package in _PACKAGES:
            kind = name.removeprefix(package)
            if kind != name and kind not in _KINDLESS:
                return kind
    raise NonRecoverableError("The definition has no kind.")
