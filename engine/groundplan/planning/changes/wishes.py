"""What an update does and what it leaves out, and how an execution holds that as its parameters (spec 5.10).

It plans nothing: `planning.workflows.update` does, and a custom workflow reads the parameters itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from groundplan.model.ids import InstanceId
from groundplan.model.update import Difference, Link
from groundplan.model.values import Data, reveal


@dataclass(frozen=True, kw_only=True, slots=True)
class Flags:
    """What may be left out of an update or forced, each under the name of its parameter (spec 5.10)."""

    skip_install: bool = False
    skip_uninstall: bool = False
    skip_reinstall: bool = False
    skip_drift_check: bool = False
    skip_heal: bool = False
    force_reinstall: bool = False
    ignore_failure: bool = False

    def by_name(self) -> dict[str, bool]:
        """Return each flag under its name."""
        return {name: getattr(self, name) for name in FLAGS}


FLAGS: Final = tuple(flag.name for flag in fields(Flags))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes(Flags):
    """What an update does and what it leaves out; `to_parameters` and `from_parameters` are its stored form.

    Attributes:
        reinstall: instances that are reinstalled whatever has changed (`reinstall_list`).
    """

    difference: Difference
    reinstall: tuple[InstanceId, ...] = ()


def to_parameters(wishes: Wishes) -> dict[str, Data]:
    """Return the parameters of the execution, those that a custom workflow gets too (spec 5.10)."""
    found = wishes.difference
    return {
        "added_instance_ids": list(found.added),
        "added_target_instances_ids": _targets(found.extended, found.added),
        "removed_instance_ids": list(found.removed),
        "remove_target_instance_ids": _targets(found.reduced, found.removed),
        "extended_instance_ids": _sources(found.extended),
        "extend_target_instance_ids": _targets(found.extended),
        "reduced_instance_ids": _sources(found.reduced),
        "reduce_target_instance_ids": _targets(found.reduced),
        "modified_instance_ids": list(found.modified),
        "unfinished_instance_ids": list(found.unfinished),
        "extended_links": [[link.source, link.index, link.target] for link in found.extended],
        "reduced_links": [[link.source, link.index, link.target] for link in found.reduced],
        "node_instances_to_reinstall": list(wishes.reinstall),
        "install_first": False,
        **wishes.by_name(),
    }


def from_parameters(parameters: Mapping[str, Data]) -> Wishes:
    """Return what `to_parameters` wrote."""
    given = reveal(dict(parameters))

    def ids(name: str) -> tuple[InstanceId, ...]:
        return tuple(map(InstanceId, given.get(name) or ()))

    def links(name: str) -> tuple[Link, ...]:
        return tuple(
            Link(source=InstanceId(source), index=index, target=InstanceId(target))
            for source, index, target in given.get(name) or ()
        )

    return Wishes(
        difference=Difference(
            added=ids("added_instance_ids"),
            removed=ids("removed_instance_ids"),
            extended=links("extended_links"),
            reduced=links("reduced_links"),
            modified=ids("modified_instance_ids"),
            unfinished=ids("unfinished_instance_ids"),
        ),
        reinstall=ids("node_instances_to_reinstall"),
        **{name: bool(given.get(name)) for name in FLAGS},
    )


def _sources(links: Sequence[Link]) -> list[Data]:
    return list(dict.fromkeys(link.source for link in links))


def _targets(links: Sequence[Link], among: Collection[InstanceId] | None = None) -> list[Data]:
    return list(dict.fromkeys(link.target for link in links if among is None or link.target in among))
