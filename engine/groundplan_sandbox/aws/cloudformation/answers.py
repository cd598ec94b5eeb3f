"""The calls of CloudFormation that moto's server lacks or answers with one word for every resource.

What a stack is and does is in `stacks`; the rest of the requests go to moto's own responses.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.rds.models import DBInstance, rds_backends

from groundplan_sandbox.aws.cloudformation.drift import drift_of
from groundplan_sandbox.aws.cloudformation.stacks import Member, SandboxStack, Stacks
from groundplan_sandbox.aws.site import Site


def install(site: Site) -> None:
    """Make every CloudFormation region of this process one of `site`."""
    models.cloudformation_backends.backend = type("SandboxCloudFormation", (_Region,), {"site": site})
    moto_create = DBInstance.create_from_cloudformation_json.__func__

    def create(cls: Any, /, name: str, template: Any, account_id: str, region_name: str, **kwargs: Any) -> Any:
        """moto takes 3306 for every engine's port, forgets VPCSecurityGroups, and wants groups as objects."""
        properties = dict(template["Properties"])
        properties.setdefault("Port", DBInstance.default_port(properties.get("Engine") or "postgres"))
        if groups := properties.pop("VPCSecurityGroups", None) or properties.get("VpcSecurityGroupIds"):
            properties["VpcSecurityGroupIds"] = [getattr(each, "id", each) for each in groups]
        group = properties.get("DBSubnetGroupName")
        if isinstance(group, str):
            backend = rds_backends[account_id][region_name]
            properties["DBSubnetGroupName"] = backend.describe_db_subnet_groups(group.lower())[0]
        return moto_create(cls, name, {**template, "Properties": properties}, account_id, region_name, **kwargs)

    if moto_create.__module__ != __name__:
        DBInstance.create_from_cloudformation_json = classmethod(create)


class _Answers(CloudFormationResponse):  # type: ignore[misc]  # moto's classes are untyped to us
    def create_stack(self) -> Any:
        answer = super().create_stack()
        given = self._get_param("OnFailure") or (
            "DO_NOTHING" if str(self._get_param("DisableRollback")).lower() == "true" else "ROLLBACK"
        )
        # The first step of a stack comes after this request.
        self._stack().on_failure = given
        return answer

    def describe_stack_resources(self) -> Any:
        stack, wanted = self._stack(), self._get_param("LogicalResourceId")
        rows = [_row(stack, each) for each in stack.members.by_id.values() if wanted in (None, each.logical_id)]
        return ActionResult({"StackResources": rows})

    def describe_stack_resource(self) -> Any:
        stack, wanted = self._stack(), self._get_param("LogicalResourceId")
        member = stack.members.by_id.get(wanted)
        if member is None:
            raise ValidationError(message=f"Resource {wanted} does not exist for stack {stack.name}")
        return ActionResult({"StackResourceDetail": _row(stack, member)})

    def list_stack_resources(self) -> Any:
        stack = self._stack()
        rows = [_row(stack, member) for member in stack.members.by_id.values()]
        return ActionResult({"StackResourceSummaries": rows})

    def detect_stack_drift(self) -> Any:
        stack = self._stack()
        if stack.status.endswith("_IN_PROGRESS"):
            raise ValidationError(
                message=f"Drift detection cannot be performed while stack [{stack.name}] is {stack.status}"
            )
        detection = str(uuid.uuid4())
        self.cloudformation_backend.detections[detection] = stack, datetime.now(UTC)
        return ActionResult({"StackDriftDetectionId": detection})

    def describe_stack_drift_detection_status(self) -> Any:
        wanted = self._get_param("StackDriftDetectionId")
        found = self.cloudformation_backend.detections.get(wanted)
        if found is None:
            raise ValidationError(message=f"No drift detection found for ID: {wanted}")
        stack, began = found
        drifted = sum(drift_of(stack, member) == "DELETED" for member in stack.members.by_id.values())
        return ActionResult(
            {
                "StackId": stack.stack_id,
                "StackDriftDetectionId": wanted,
                "StackDriftStatus": "DRIFTED" if drifted else "IN_SYNC",
                "DetectionStatus": "DETECTION_COMPLETE",
                "DriftedStackResourceCount": drifted,
                "Timestamp": began,
            }
        )

    def describe_stack_resource_drifts(self) -> Any:
        stack = self._stack()
        wanted = self._get_param("StackResourceDriftStatusFilters")
        rows = [_drift_row(stack, member) for member in stack.members.by_id.values()]
        return ActionResult(
            {"StackResourceDrifts": [row for row in rows if not wanted or row["StackResourceDriftStatus"] in wanted]}
        )

    def _stack(self) -> SandboxStack:
        stack: SandboxStack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        return stack


class _Urls:
    """What moto reads of the module that names a backend's URLs."""

    url_bases = (r"https?://cloudformation\.(.+)\.amazonaws\.com",)
    url_paths = {  # noqa: RUF012 - moto's shape
        "{0}/$": _Answers.dispatch,
        "{0}/cloudformation_(?P<region>[^/]+)/cfnresponse$": _Answers.cfnresponse,
    }


class _Region(Stacks):
    """CloudFormation of one region. `detections`: stack and time by id of a drift detection."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.detections: dict[str, tuple[SandboxStack, datetime]] = {}

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return _Urls


def _row(stack: SandboxStack, member: Member) -> dict[str, Any]:
    return {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "LogicalResourceId": member.logical_id,
        "PhysicalResourceId": member.physical_id,
        "ResourceType": member.kind,
        "ResourceStatus": member.status,
        "ResourceStatusReason": member.reason,
        "Timestamp": stack.creation_time,
        "LastUpdatedTimestamp": stack.creation_time,
    }


def _drift_row(stack: SandboxStack, member: Member) -> dict[str, Any]:
    return {
        "StackId": stack.stack_id,
        "LogicalResourceId": member.logical_id,
        "PhysicalResourceId": member.physical_id,
        "ResourceType": member.kind,
        "StackResourceDriftStatus": drift_of(stack, member),
        "PropertyDifferences": [],
        "Timestamp": datetime.now(UTC),
    }
