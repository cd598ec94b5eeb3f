"""Rules of a security group: authorised at start, revoked at stop.

EC2 takes a list of permissions whole or not at all. When some of them stand already (a lost attempt, the group's own
default), or are gone already, each is done by itself.
"""

from collections.abc import Iterator
from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws.failures import RefusedError, unless_gone
from groundplan_aws.rows.ec2 import SECURITY_GROUP
from groundplan_aws.target import Subject, on_subject

_RANGES: Final = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_STANDS: Final = "InvalidPermission.Duplicate"
_MISSING: Final = "InvalidPermission.NotFound"


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
