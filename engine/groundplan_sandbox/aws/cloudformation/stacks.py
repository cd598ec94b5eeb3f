"""Stacks: CREATE_IN_PROGRESS until every resource is there, ROLLBACK when one fails, DELETE in reverse order.

moto makes a stack within the request that asks for it, and raises out of it when a resource fails. Updates and change
sets are moto's: they are complete at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.parsing import NULL_MODELS, get_model_map
from moto.cloudformation.utils import generate_stack_id
from moto.core.exceptions import ServiceException

from groundplan_sandbox.aws.cloudformation.order import CircularError, creation_order
from groundplan_sandbox.aws.site import Site
from groundplan_sandbox.aws.transitions import POLL

_CREATED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_UNDER_WAY = "_IN_PROGRESS"
_NOT_READY = frozenset({"creating", "starting", "modifying", "deleting"})
_FAILED = "failed"


@dataclass(kw_only=True)
class Member:
    """A resource of a stack. `status` as in DescribeStackResources."""

    logical_id: str
    kind: str
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    resource: Any = None
    physical_id: str = ""


@dataclass(kw_only=True)
class Members:
    """The resources of a stack, in the order in which they were begun."""

    by_id: dict[str, Member] = field(default_factory=dict)

    def standing(self) -> list[Member]:
        """Those that are there, latest first."""
        return [member for member in reversed(self.by_id.values()) if member.resource is not None]


class SandboxStack(models.Stack):  # type: ignore[misc]  # moto's classes are untyped to us
    """A stack whose resources come one after another. `on_failure`: ROLLBACK, DO_NOTHING or DELETE."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.members = Members()
        self.on_failure = "ROLLBACK"
        self.status_reason: str | None = None
        super().__init__(*args, **kwargs)

    @property
    def outputs(self) -> Any:
        """None until the stack is there: moto would make resources to have something to show."""
        return models.Stack.outputs.fget(self) if self.status in _CREATED else None

    @property
    def exports(self) -> Any:
        return models.Stack.exports.fget(self) if self.status in _CREATED else []

    @property
    def stack_resources(self) -> list[Any]:
        """Those that are there."""
        return [member.resource for member in self.members.by_id.values() if member.resource is not None]

    @property
    def stack_status_reason(self) -> str | None:
        return self.status_reason

    def turn(self, status: str, reason: str | None = None) -> None:
        """Enter a state, with its event."""
        self.status, self.status_reason = status, reason
        self._add_stack_event(status, resource_status_reason=reason)

    def turn_member(self, member: Member, status: str, reason: str | None = None) -> None:
        """A resource enters a state, with its event."""
        member.status, member.reason = status, reason
        self.events.append(
            models.Event(
                stack_id=self.stack_id,
                stack_name=self.name,
                logical_resource_id=member.logical_id,
                physical_resource_id=member.physical_id,
                resource_type=member.kind,
                resource_status=status,
                resource_status_reason=reason,
                resource_properties=None,
            )
        )


class Stacks(models.CloudFormationBackend):  # type: ignore[misc]  # moto's classes are untyped to us
    """CloudFormation of one region. moto makes backends itself, so the site is the class's."""

    site: Site

    def create_stack(self, name: str, template: Any, parameters: Any, *args: Any, **kwargs: Any) -> SandboxStack:
        """CREATE_IN_PROGRESS first. Refused at once: a name taken, a template that cannot be."""
        if any(stack.name == name for stack in self.stacks.values()):
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        for key, value in zip(_OPTIONS, args, strict=False):
            kwargs[key] = value
        stack = SandboxStack(
            stack_id=generate_stack_id(name, self.region_name, self.account_id),
            name=name,
            template=template,
            parameters=parameters,
            account_id=self.account_id,
            region_name=self.region_name,
            cross_stack_resources=self.exports,
            **kwargs,
        )
        order = _require_template(stack.template_dict)
        stack.resource_map.tags.update(
            {"aws:cloudformation:stack-name": name, "aws:cloudformation:stack-id": stack.stack_id}
        )
        self.stacks[stack.stack_id] = stack
        stack.turn("CREATE_IN_PROGRESS", "User Initiated")
        self.site.transitions.later(lambda: self._build(stack, order))
        return stack

    def delete_stack(self, name_or_stack_id: str) -> None:
        """DELETE_IN_PROGRESS first. A stack that is not there is fine; one that is protected or being made is not."""
        stack = next((s for s in self.stacks.values() if name_or_stack_id in (s.name, s.stack_id)), None)
        if stack is None or stack.status == "DELETE_IN_PROGRESS":
            return
        if stack.enable_termination_protection in (True, "true"):
            raise ValidationError(
                message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        if any(export.name in self._imported() for export in stack.exports):
            raise ValidationError(message=f"Exports of stack {stack.name} are in use by another stack")
        for export in stack.exports:
            self.exports.pop(export.name, None)
        stack.turn("DELETE_IN_PROGRESS", "User Initiated")
        self._take_down(stack, lambda: self._forget(stack), "DELETE_FAILED")

    def _build(self, stack: SandboxStack, order: list[str]) -> None:
        """Begin the next resource of `order`, or end."""
        if stack.status != "CREATE_IN_PROGRESS" or stack.stack_id not in self.stacks:
            return
        if not order:
            self._complete(stack)
            return
        name, rest = order[0], order[1:]
        member = Member(logical_id=name, kind=stack.template_dict["Resources"][name]["Type"])
        stack.members.by_id[name] = member
        stack.turn_member(member, "CREATE_IN_PROGRESS")
        try:
            member.resource = stack.resource_map[name]
            member.physical_id = str(getattr(member.resource, "physical_resource_id", ""))
        except Exception as error:
            self._break(stack, member, _words(error))
            return
        if member.resource is None:
            # Its condition is false, or it is one of moto's that do nothing.
            del stack.members.by_id[name]
            self._build(stack, rest)
            return
        self._await_ready(stack, member, lambda: self._build(stack, rest))

    def _await_ready(self, stack: SandboxStack, member: Member, then: Callable[[], None]) -> None:
        state = getattr(member.resource, "status", None)
        if state == _FAILED:
            self._break(stack, member, getattr(member.resource, "failure", "it failed"))
        elif state in _NOT_READY:
            self.site.transitions.later(lambda: self._await_ready(stack, member, then), at_least=POLL)
        else:
            stack.turn_member(member, "CREATE_COMPLETE")
            then()

    def _complete(self, stack: SandboxStack) -> None:
        stack.status = "CREATE_COMPLETE"
        try:
            outputs = stack.outputs
            self._validate_export_uniqueness(stack)
        except Exception as error:
            self._roll_back(stack, _words(error))
            return
        del outputs
        for export in stack.exports:
            self.exports[export.name] = export
        stack.turn("CREATE_COMPLETE")

    def _break(self, stack: SandboxStack, member: Member, reason: str) -> None:
        stack.turn_member(member, "CREATE_FAILED", reason)
        self._roll_back(stack, f"The following resource(s) failed to create: [{member.logical_id}].")

    def _roll_back(self, stack: SandboxStack, reason: str) -> None:
        if stack.on_failure == "DO_NOTHING":
            stack.turn("CREATE_FAILED", reason)
        elif stack.on_failure == "DELETE":
            stack.turn("DELETE_IN_PROGRESS", f"{reason} Delete requested by user.")
            self._take_down(stack, lambda: self._forget(stack), "DELETE_FAILED")
        else:
            stack.turn("ROLLBACK_IN_PROGRESS", f"{reason} Rollback requested by user.")
            self._take_down(stack, lambda: stack.turn("ROLLBACK_COMPLETE"), "ROLLBACK_FAILED")

    def _take_down(self, stack: SandboxStack, then: Callable[[], None], failed: str) -> None:
        """Delete the resources one after another, latest first; then call `then`, or enter `failed`."""
        standing = stack.members.standing()
        if not standing:
            then()
            return
        member = standing[0]
        policy = stack.template_dict["Resources"][member.logical_id].get("DeletionPolicy", "Delete")
        if policy == "Retain":
            stack.turn_member(member, "DELETE_SKIPPED")
            member.resource = None
            self._take_down(stack, then, failed)
            return
        if getattr(member.resource, "status", None) in _NOT_READY:
            # A stack may be deleted while it is being made; a database may not.
            self.site.transitions.later(lambda: self._take_down(stack, then, failed), at_least=POLL)
            return
        stack.turn_member(member, "DELETE_IN_PROGRESS")
        try:
            self._delete(stack, member, snapshot=policy == "Snapshot")
        except Exception as error:
            stack.turn_member(member, "DELETE_FAILED", _words(error))
            stack.turn(failed, f"The following resource(s) failed to delete: [{member.logical_id}].")
            return
        self.site.transitions.later(lambda: self._await_gone(stack, member, then, failed))

    def _await_gone(self, stack: SandboxStack, member: Member, then: Callable[[], None], failed: str) -> None:
        if self._is_there(member):
            if member.resource.status == _FAILED:
                stack.turn_member(member, "DELETE_FAILED", member.resource.failure)
                stack.turn(failed, f"The following resource(s) failed to delete: [{member.logical_id}].")
                return
            self.site.transitions.later(lambda: self._await_gone(stack, member, then, failed), at_least=POLL)
            return
        stack.turn_member(member, "DELETE_COMPLETE")
        stack.resource_map._parsed_resources.pop(member.logical_id, None)
        member.resource = None
        self._take_down(stack, then, failed)

    def _is_there(self, member: Member) -> bool:
        if member.kind != "AWS::RDS::DBInstance":
            return False
        return member.resource in list(member.resource.backend.databases.values())

    def _delete(self, stack: SandboxStack, member: Member, *, snapshot: bool) -> None:
        if member.kind == "AWS::RDS::DBInstance":
            _delete_database(stack, member.resource, snapshot=snapshot)
            return
        stack.resource_map._delete_resource(member.resource, stack.template_dict["Resources"][member.logical_id])

    def _forget(self, stack: SandboxStack) -> None:
        stack.turn("DELETE_COMPLETE")
        self.stacks.pop(stack.stack_id, None)
        self.deleted_stacks[stack.stack_id] = stack

    def _imported(self) -> set[str]:
        return {name for stack in self.stacks.values() for name in _imports(stack.template_dict)}


_OPTIONS = (
    "notification_arns",
    "tags",
    "role_arn",
    "enable_termination_protection",
    "timeout_in_mins",
    "stack_policy_body",
)
"""Parameters of moto's `create_stack` after the first three, in its order."""


def _require_template(template: dict[str, Any]) -> list[str]:
    """The order of its resources. Raises ValidationError."""
    resources = template.get("Resources") or {}
    if not resources:
        raise ValidationError(message="Template format error: At least one Resources member must be defined.")
    untyped = [name for name, body in resources.items() if not isinstance(body, dict) or "Type" not in body]
    if untyped:
        raise ValidationError(
            message=f"Template format error: [/Resources/{untyped[0]}] Every resource must have a Type."
        )
    known = {*get_model_map(), *NULL_MODELS}
    kinds = sorted({body["Type"] for body in resources.values()} - known)
    if kinds:
        raise ValidationError(message=f"Template format error: Unrecognized resource types: [{', '.join(kinds)}]")
    try:
        return creation_order(resources)
    except CircularError as error:
        raise ValidationError(message=str(error)) from error


def _delete_database(stack: SandboxStack, instance: Any, *, snapshot: bool) -> None:
    backend = instance.backend
    if instance.status == "deleting" or instance not in list(backend.databases.values()):
        return
    # AWS names it so; without the policy a stack's instance leaves nothing.
    name = f"{stack.name}-snapshot-{instance.db_instance_identifier}".lower() if snapshot else None
    backend.delete_db_instance(
        instance.db_instance_identifier, final_db_snapshot_identifier=name, skip_final_snapshot=not snapshot
    )


def _imports(body: Any) -> list[str]:
    if isinstance(body, list):
        return [name for item in body for name in _imports(item)]
    if not isinstance(body, dict):
        return []
    own = [body["Fn::ImportValue"]] if isinstance(body.get("Fn::ImportValue"), str) else []
    return own + [name for value in body.values() for name in _imports(value)]


def _words(error: Exception) -> str:
    if isinstance(error, ServiceException):
        return f"{error.message} (Error Code: {error.code})"
    return str(
        getattr(error, "description", None) or getattr(error, "message", None) or f"{type(error).__name__}: {error}"
    )
