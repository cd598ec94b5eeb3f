"""Rules of a security group: authorised at start, revoked at stop.

EC2 takes a list of permissions whole or not at all. When some of them stand already (a lost attempt, the group's own
default), or are gone already, each is done by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.older import OLDER_NODES, permitted
from groundplan_aws.rows.ec2 import SECURITY_GROUP
from groundplan_aws.target import Subject, Target, on_subject, on_target

_RANGES: Final = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_STANDS: Final = "InvalidPermission.Duplicate"
_MISSING: Final = "InvalidPermission.NotFound"
_OLDER_RULE: Final = f"{OLDER_NODES}SecurityGroupRule"
_INSIDE: Final = "cloudify.aws.relationships.rule_contained_in_security_group"
_FROM: Final = "cloudify.aws.relationships.rule_depends_on_security_group"


@on_subject
def authorize_ingress(subject: Subject) -> Data:
    """Let traffic in."""
    return _authorize(subject, "authorize_security_group_ingress")


@on_subject
def authorize_egress(subject: Subject) -> Data:
    """Let traffic out."""
    return _authorize(subject, "authorize_security_group_egress")


@on_subject
def revoke_ingress(subject: Subject) -> Data:
    """Let traffic in no longer."""
    return _revoke(subject, "revoke_security_group_ingress")


@on_subject
def revoke_egress(subject: Subject) -> Data:
    """Let traffic out no longer."""
    return _revoke(subject, "revoke_security_group_egress")


@on_target
def create_group(target: Target) -> Data:
    """Make the security group of an older type, with the rules of its property, of related nodes and of the input."""
    lifecycle.make(target)
    if not target.untouchable:
        related = [rule for other in target.neighbours(_OLDER_RULE) for rule in other.node.properties.get("rule") or ()]
        own: Any = target.ctx.node.properties.get("rules") or ()
        _put_in(target, str(target.id), [*(target.inputs.get("rules") or ()), *own, *related])
    return None


@on_target
def add_to_group(target: Target) -> Data:
    """Let the traffic of the input `rules` through as well."""
    if not target.untouchable:
        _put_in(target, str(lifecycle.existing(target)["GroupId"]), target.inputs.get("rules") or ())
    return None


@on_subject
def create_between(subject: Subject) -> Data:
    """Put the rules of an older rule node into the group that contains it; they let in the group it depends on."""
    container, rules = _between(subject)
    _put_in(subject, container, rules)
    subject.record.update({"aws_resource_id": container, "group_id": container, "rule": rules})
    return None


@on_subject
def delete_between(subject: Subject) -> Data:
    """Take them out again."""
    container, rules = subject.record.get("group_id"), subject.record.get("rule")
    if container and isinstance(rules, list):
        for egress, permissions in _sides(rules):
            method = "revoke_security_group_egress" if egress else "revoke_security_group_ingress"
            with unless_gone():
                parameters = {"GroupId": container, "IpPermissions": permissions}
                _each_if_refused(subject, method, parameters, _MISSING)
    subject.record.clear()
    return None


def _between(subject: Subject) -> tuple[str, list[dict[str, Any]]]:
    """The group that a rule goes into and the rules, with the other group for their source."""
    groups = {
        kind: str(other.instance.runtime_properties.get("aws_resource_id"))
        for other in subject.neighbours(SECURITY_GROUP.node_type)
        for kind in (_INSIDE, _FROM)
        if other.is_a(kind)
    }
    if _INSIDE not in groups:
        raise NonRecoverableError(f"a rule needs a relationship {_INSIDE} to a security group")
    rules: Any = subject.ctx.node.properties.get("rule") or ()
    source = {"src_group_id": groups[_FROM]} if _FROM in groups else {}
    return groups[_INSIDE], [{**rule, **source} for rule in rules]


def _put_in(subject: Subject, group: str, rules: Iterable[Mapping[str, Any]]) -> None:
    for egress, permissions in _sides(rules):
        method = "authorize_security_group_egress" if egress else "authorize_security_group_ingress"
        _each_if_refused(subject, method, {"GroupId": group, "IpPermissions": permissions}, _STANDS)


def _sides(rules: Iterable[Mapping[str, Any]]) -> Iterator[tuple[bool, list[dict[str, Any]]]]:
    """Rules of older blueprints as permissions: those that let in, and those that let out."""
    given = list(rules)
    for egress in (False, True):
        permissions = [permitted(rule) for rule in given if bool(rule.get("egress")) == egress]
        if permissions:
            yield egress, permissions


def _authorize(subject: Subject, method: str) -> Data:
    if subject.untouchable:
        return None
    parameters = _parameters(subject)
    _each_if_refused(subject, method, parameters, _STANDS)
    subject.record.update({"resource_config": dict(subject.config), "group_id": parameters["GroupId"]})
    return None


def _revoke(subject: Subject, method: str) -> Data:
    if subject.untouchable:
        return None
    with unless_gone():
        _each_if_refused(subject, method, _parameters(subject), _MISSING)
    subject.record.clear()
    return None


def _each_if_refused(subject: Subject, method: str, parameters: dict[str, Any], fine: str) -> None:
    """Call with all permissions; if AWS refuses with the code `fine`, call with each and let that code pass."""
    if _passes(subject, method, parameters, fine):
        return
    for permission in _single(parameters.get("IpPermissions", ())):
        _passes(subject, method, {**parameters, "IpPermissions": [permission]}, fine)


def _passes(subject: Subject, method: str, parameters: dict[str, Any], fine: str) -> bool:
    try:
        subject.api.call(method, **parameters)
    except RefusedError as error:
        if error.refusal.code != fine:
            raise
        return False
    return True


def _single(permissions: Any) -> Iterator[dict[str, Any]]:
    """Split permissions into ones of a single range each."""
    for permission in permissions:
        base = {name: value for name, value in permission.items() if name not in _RANGES}
        for kind in _RANGES:
            for entry in permission.get(kind, ()):
                yield {**base, kind: [entry]}


def _parameters(subject: Subject) -> dict[str, Any]:
    group = subject.given_or_related("GroupId", SECURITY_GROUP.node_type) or subject.record.get("group_id")
    if not group:
        raise NonRecoverableError("the rule has no GroupId, and no related node is a security group")
    return {**subject.config, "GroupId": group}
