"""Gives deployments labels and takes them away, one or many at once (spec 6.5).

What a blueprint calls its deployments is `labelling`'s. A label that says where a deployment stands is held to that
there: the other one exists, and does not stand in this one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from groundplan.diagnostics.trouble import Conflict, NotFound
from groundplan.model.deployment import Deployment
from groundplan.model.ids import DeploymentId
from groundplan.model.labels import PARENT
from groundplan.model.reshape import Content, Reshape
from groundplan.service.deployments import existing
from groundplan.service.labelling import refuse_labels
from groundplan.state.store import Store, Transaction

Labels = Mapping[str, tuple[str, ...]]


def add_labels(store: Store, ids: Sequence[DeploymentId], labels: Labels) -> Sequence[DeploymentId]:
    """Give deployments labels, all of them or none; return those that did not have all of these already.

    Raises:
        NotFound: there is no such deployment, or none to stand in.
        UsageError: a label cannot be one.
        Conflict: a deployment would stand in itself.
    """
    wanted = {key.lower(): values for key, values in labels.items()}
    with store.transaction() as transaction:
        changed: list[DeploymentId] = []
        for deployment in [existing(transaction, each) for each in ids]:
            refuse_labels(transaction, deployment.id, wanted)
            given = dict(deployment.labels)
            for key, values in wanted.items():
                given[key] = tuple(dict.fromkeys((*given.get(key, ()), *values)))
            if given != deployment.labels:
                _put(transaction, deployment, given)
                changed.append(deployment.id)
        return changed


def remove_labels(store: Store, ids: Sequence[DeploymentId], labels: Labels) -> Sequence[DeploymentId]:
    """Take labels from deployments; return those that had any of these. A key without values means all of its values.

    Raises:
        NotFound: there is no such deployment, or none of them has such a label.
        Conflict: a deployment that a component made is to stand in the component's own no more.
    """
    wanted = {key.lower(): values for key, values in labels.items()}
    with store.transaction() as transaction:
        changed: list[DeploymentId] = []
        for deployment in [existing(transaction, each) for each in ids]:
            left = {key: _left(wanted, key, values) for key, values in deployment.labels.items()}
            left = {key: values for key, values in left.items() if values}
            if left == deployment.labels:
                continue
            if deployment.owner is not None and deployment.owner.deployment not in left.get(PARENT, ()):
                raise Conflict(
                    f"Deployment {deployment.id!r} was made by a component of {deployment.owner.deployment!r}, and "
                    "stands in that."
                )
            _put(transaction, deployment, left)
            changed.append(deployment.id)
        if not changed:
            shown = ", ".join(f"{key}:{value}" for key, values in wanted.items() for value in values or ("*",))
            raise NotFound(f"No deployment in question has a label {shown}.")
        return changed


def _left(wanted: Labels, key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if key not in wanted:
        return values
    return tuple(value for value in values if value not in wanted[key]) if wanted[key] else ()


def _put(transaction: Transaction, deployment: Deployment, labels: Labels) -> None:
    changed = replace(deployment, labels=labels)
    content = Content(blueprint=changed.blueprint, digest=changed.digest, inputs=changed.inputs, labels=changed.labels)
    transaction.reshape(deployment.id, Reshape(content=content))
