"""Groups of deployments: made, extended by deployments that exist or are made for them, shrunk and deleted.

What runs on all deployments of a group is `execution_groups`' business.
"""

import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Final

from groundplan.diagnostics.suggest import suggest
from groundplan.diagnostics.trouble import Conflict, NotFound, UsageError
from groundplan.model.group import DeploymentGroup
from groundplan.model.ids import BlueprintId, DeploymentId, GroupId
from groundplan.model.labels import PARENT
from groundplan.model.values import Data
from groundplan.planning.inputs import Untyped
from groundplan.runtime.library import Library
from groundplan.service import deployments, identifiers
from groundplan.service.given import untyped
from groundplan.service.home import Home
from groundplan.state.store import Snapshot, Store, Transaction

_WORD: Final = re.compile(r"\{(\w+)\}")
_ID_TEMPLATE: Final = "{group_id}-{uuid}"
_IN_ENVIRONMENTS: Final = "{uuid}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a group is to be; None leaves a field as it is."""

    blueprint: BlueprintId | None = None
    inputs: Mapping[str, Data] | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Deployments that exist: those that are named, and those of another group."""

    deployments: Sequence[DeploymentId] = ()
    from_group: GroupId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """What a group gets.

    Attributes:
        count: how many deployments are made of the group's blueprint.
        into_environments: one is made in each deployment of this group (spec 6.5), in place of `count`.
    """

    selection: Selection = field(default_factory=Selection)
    count: int = 0
    into_environments: GroupId | None = None


def create(store: Store, id: GroupId, wanted: Wanted, now: datetime) -> DeploymentGroup:
    """Make a group without deployments.

    Raises:
        Conflict: there is one of that id.
        NotFound: there is no such blueprint.
        UsageError: the id is malformed.
    """
    deployments.refuse_malformed(id, "group")
    with store.transaction() as transaction:
        if transaction.deployment_group(id) is not None:
            raise Conflict(
                f"There is a group {id!r} already.", fix=f"Change it: groundplan deployments groups update {id}"
            )
        return _put(transaction, DeploymentGroup(id=id, created_at=now), wanted)


def update(store: Store, id: GroupId, wanted: Wanted) -> DeploymentGroup:
    """Change what a group is; its deployments stay as they are.

    Raises:
        NotFound: there is no such group or blueprint.
    """
    with store.transaction() as transaction:
        return _put(transaction, existing(transaction, id), wanted)


def _put(transaction: Transaction, group: DeploymentGroup, wanted: Wanted) -> DeploymentGroup:
    if wanted.blueprint is not None:
        deployments.stored_blueprint(transaction, wanted.blueprint)
    changed = replace(
        group,
        blueprint=group.blueprint if wanted.blueprint is None else wanted.blueprint,
        inputs=group.inputs if wanted.inputs is None else _plain(wanted.inputs),
        description=group.description if wanted.description is None else wanted.description,
    )
    transaction.put_deployment_group(changed)
    return changed


def _plain(inputs: Mapping[str, Data]) -> Mapping[str, Data]:
    """Return inputs to be kept; what text means is told by the blueprint when a deployment is made."""
    return {name: str(value) if isinstance(value, Untyped) else value for name, value in inputs.items()}


def inhabited(snapshot: Snapshot, id: GroupId) -> Sequence[DeploymentId]:
    """Return the deployments of a group, oldest first; at least one.

    Raises:
        NotFound: there is no such group.
        UsageError: it has none.
    """
    members = snapshot.members(existing(snapshot, id).id)
    if not members:
        raise UsageError(
            f"Group {id!r} has no deployments.",
            fix=f"Add some: groundplan deployments groups extend {id} -d DEPLOYMENT",
        )
    return members


def existing(snapshot: Snapshot, id: GroupId) -> DeploymentGroup:
    """Return a group.

    Raises:
        NotFound: there is none of that id.
    """
    found = snapshot.deployment_group(id)
    if found is None:
        near = suggest(id, [item.id for item in snapshot.deployment_groups()])
        raise NotFound(
            f"There is no deployment group {id!r}.",
            fix=f"Did you mean {near!r}?" if near else f"Make it: groundplan deployments groups create {id}",
        )
    return found


def listing(store: Store) -> Sequence[tuple[DeploymentGroup, int]]:
    """Return the groups by id, each with how many deployments it has."""
    with store.snapshot() as snapshot:
        return [(group, len(snapshot.members(group.id))) for group in snapshot.deployment_groups()]


def members(store: Store, id: GroupId) -> Sequence[DeploymentId]:
    """Return the deployments of a group, oldest first.

    Raises:
        NotFound: there is no such group.
    """
    with store.snapshot() as snapshot:
        return snapshot.members(existing(snapshot, id).id)


def extend(
    store: Store, library: Library, id: GroupId, extension: Extension, now: datetime
) -> tuple[Sequence[DeploymentId], Sequence[DeploymentId]]:
    """Add deployments to a group; return those that were there before and joined, and those that were made.

    All of them are added, or nothing is.

    Raises:
        NotFound: there is no such group, deployment or blueprint.
        UsageError: nothing is selected, deployments are to be made and the group has no blueprint, or they cannot be
            made: see `deployments.create`.
        Conflict: a deployment of that id exists.
    """
    with store.transaction() as transaction:
        group = existing(transaction, id)
        before = set(transaction.members(id))
        joined = [each for each in _selected(transaction, extension.selection) if each not in before]
        making = _Making(transaction, library, group, now)
        if extension.into_environments is not None:
            environments = transaction.members(existing(transaction, extension.into_environments).id)
            made = [making.make(_IN_ENVIRONMENTS, environment) for environment in environments]
        else:
            made = [making.make(None, None) for _ in range(extension.count)]
        transaction.add_members(id, [*joined, *made])
        return joined, made


def shrink(store: Store, id: GroupId, selection: Selection) -> Sequence[DeploymentId]:
    """Take deployments out of a group, and return which; they are not deleted.

    Raises:
        NotFound: there is no such group or deployment.
    """
    with store.transaction() as transaction:
        there = set(transaction.members(existing(transaction, id).id))
        chosen = [each for each in _selected(transaction, selection) if each in there]
        transaction.remove_members(id, chosen)
        return chosen


def delete(
    store: Store, home: Home, id: GroupId, *, with_deployments: bool = False, force: bool = False
) -> Sequence[DeploymentId]:
    """Delete a group, and return the deployments that were deleted with it.

    Args:
        with_deployments: delete those as well, those that others of them need last.
        force: see `deployments.delete`.

    Raises:
        NotFound: there is no such group.
        Conflict: a deployment cannot be deleted; then nothing is.
    """
    with store.transaction() as transaction:
        members = transaction.members(existing(transaction, id).id)
        if with_deployments:
            _delete_all(members, lambda each: deployments.delete_in(transaction, each, force=force))
        transaction.delete_deployment_group(id)
    gone = members if with_deployments else ()
    for folder in chain.from_iterable(map(home.folders_of, gone)):
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def _delete_all(members: Collection[DeploymentId], delete_one: Callable[[DeploymentId], None]) -> None:
    """Delete deployments, each after those that need it."""
    left = list(members)
    while left:
        kept: list[DeploymentId] = []
        for each in left:
            try:
                delete_one(each)
            except Conflict:
                kept.append(each)
        if len(kept) == len(left):
            delete_one(kept[0])
        left = kept


def _selected(snapshot: Snapshot, selection: Selection) -> Sequence[DeploymentId]:
    named = [deployments.existing(snapshot, each).id for each in selection.deployments]
    of_group = selection.from_group
    others = () if of_group is None else snapshot.members(existing(snapshot, of_group).id)
    return list(dict.fromkeys([*named, *others]))


class _Making:
    """Makes the deployments of a group from its blueprint and inputs."""

    def __init__(self, transaction: Transaction, library: Library, group: DeploymentGroup, now: datetime) -> None:
        self._transaction = transaction
        self._library = library
        self._group = group
        self._now = now
        self._numbers = count(len(transaction.members(group.id)) + 1)

    def make(self, template: str | None, environment: DeploymentId | None) -> DeploymentId:
        """Make a deployment, and return its id.

        Args:
            template: of its id, or None for the blueprint's, else the usual one.
            environment: the deployment that it is placed in, or None.
        """
        blueprint = self._group.blueprint
        if blueprint is None:
            raise UsageError(
                f"Group {self._group.id!r} has no blueprint to make deployments of.",
                fix=f"Give it one: groundplan deployments groups update {self._group.id} -b BLUEPRINT",
            )
        unique = identifiers.unique_text()
        words = {"group_id": self._group.id, "uuid": unique, "blueprint_id": blueprint, "display_name": ""}
        display_name = f"{blueprint}-{unique}" if environment is not None else ""
        words["display_name"] = display_name or self._group.id
        new = deployments.NewDeployment(
            id=self._free_id(template or self._template(blueprint), words),
            blueprint=blueprint,
            inputs={name: _as_declared(value) for name, value in self._group.inputs.items()},
            labels={} if environment is None else {PARENT: (environment,)},
            display_name=display_name,
        )
        # Later ones are younger, so that they keep their order.
        self._now += timedelta(microseconds=1)
        return deployments.create_in(self._transaction, self._library, new, self._now).id

    def _template(self, blueprint: BlueprintId) -> str:
        stored = deployments.stored_blueprint(self._transaction, blueprint)
        settings = self._library.blueprint(self._transaction, stored.digest).deployment_settings
        written = settings.get("id_template") if isinstance(settings, dict) else None
        return written if isinstance(written, str) and written else _ID_TEMPLATE

    def _free_id(self, template: str, words: Mapping[str, str]) -> DeploymentId:
        """Return the id that a template gives; with `{count}`, the first number from there on that is free."""
        for number in self._numbers:
            found = DeploymentId(expanded(template, {**words, "count": str(number)}))
            if "{count}" not in template or self._transaction.deployment(found) is None:
                return found
        raise AssertionError("numbers do not end")


def _as_declared(value: Data) -> Data:
    """Return a value of a group's inputs: text becomes what the blueprint declares, as on the command line."""
    return untyped(value) if isinstance(value, str) else value


def expanded(template: str, words: Mapping[str, str]) -> str:
    """Return an id template with its words filled in (spec 5.11).

    Raises:
        UsageError: it has a word that is not known.
    """
    unknown = [word for word in _WORD.findall(template) if word not in words]
    if unknown:
        why = "there are no sites" if unknown[0] == "site_name" else f"known are {', '.join(sorted(words))}"
        raise UsageError(f"The id template {template!r} cannot be filled in: {{{unknown[0]}}} is not known ({why}).")
    return _WORD.sub(lambda found: words[found[1]], template)
