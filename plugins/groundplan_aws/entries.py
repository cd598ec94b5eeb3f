"""Network ACLs: their entries, which have no id, and their associations with subnets.

An entry is known by its ACL, its direction and its number. A subnet always has one ACL: it goes back to the VPC's own.
"""

from typing import Any

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.lifecycle import make
from groundplan_aws.older import entry
from groundplan_aws.resource import dig
from groundplan_aws.rows.ec2 import NETWORK_ACL, SUBNET
from groundplan_aws.target import Subject, Target, on_subject, on_target


@on_subject
def create(subject: Subject) -> Data:
    """Put the entry into its ACL; one of that number is replaced."""
    if subject.untouchable:
        return None
    place = _place(subject)
    _put(subject, {**subject.config, **place})
    subject.record.update({"resource_config": dict(subject.config), "place": place})
    return None


@on_subject
def delete(subject: Subject) -> Data:
    """Take the entry out."""
    place = {} if subject.untouchable else _place(subject)
    with unless_gone():
        if place and _stands(subject, place):
            subject.api.call("delete_network_acl_entry", **place)
    subject.record.clear()
    return None


@on_target
def create_acl(target: Target) -> Data:
    """Make the ACL of an older type with the entries of its property; one of a number that is there is replaced."""
    make(target)
    rules: Any = target.ctx.node.properties.get("acl_network_entries") or ()
    for rule in () if target.untouchable else rules:
        _put(target, {**entry(rule), "NetworkAclId": target.id})
    return None


@on_target
def associate(target: Target) -> Data:
    """Make the ACL that of each related subnet."""
    if not target.untouchable:
        _move(target, str(target.id))
    return None


@on_target
def dissociate(target: Target) -> Data:
    """Give the related subnets back to the ACL that their VPC came with."""
    description = target.describe(target.id) if target.id and not target.untouchable else None
    if description is not None:
        own = [
            {"Name": "vpc-id", "Values": [description["VpcId"]]},
            {"Name": "default", "Values": ["true"]},
        ]
        found = dig(target.api.call("describe_network_acls", Filters=own), ("NetworkAcls",))
        _move(target, next(acl["NetworkAclId"] for acl in found if acl.get("IsDefault")))
    return None


def _put(subject: Subject, parameters: dict[str, Any]) -> None:
    try:
        subject.api.call("create_network_acl_entry", **parameters)
    except RefusedError as error:
        if error.refusal.code != "NetworkAclEntryAlreadyExists":
            raise
        subject.api.call("replace_network_acl_entry", **parameters)


def _stands(subject: Subject, place: dict[str, Any]) -> bool:
    answer = subject.api.call("describe_network_acls", NetworkAclIds=[place["NetworkAclId"]])
    entries = dig(answer, ("NetworkAcls", "Entries"))
    return any((entry["RuleNumber"], entry["Egress"]) == (place["RuleNumber"], place["Egress"]) for entry in entries)


def _move(target: Target, acl: str) -> None:
    """Associate the related subnets with an ACL, unless they are."""
    subnets = target.values(SUBNET.node_type)
    if not subnets:
        return
    by_subnet = [{"Name": "association.subnet-id", "Values": subnets}]
    answer = target.api.call("describe_network_acls", Filters=by_subnet)
    for association in dig(answer, ("NetworkAcls", "Associations")):
        if association["SubnetId"] in subnets and association["NetworkAclId"] != acl:
            identifier = association["NetworkAclAssociationId"]
            target.api.call("replace_network_acl_association", AssociationId=identifier, NetworkAclId=acl)


def _place(subject: Subject) -> dict[str, Any]:
    recorded: Any = subject.record.get("place")
    if recorded:
        return dict(recorded)
    acl = subject.given_or_related("NetworkAclId", NETWORK_ACL.node_type)
    if not acl or "RuleNumber" not in subject.config:
        raise NonRecoverableError("an entry needs a RuleNumber, and a NetworkAclId or a related network ACL")
    return {
        "NetworkAclId": acl,
        "RuleNumber": int(subject.config["RuleNumber"]),
        "Egress": bool(subject.config.get("Egress", False)),
    }
