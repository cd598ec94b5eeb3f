"""Operations of `cloudify.nodes.terraform.Module`: plan, apply, refresh, destroy, and what a check finds.

Each may be repeated: what an earlier attempt made is in the state, which is never lost (`workspace`). Which binary is
used says `installation`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from groundplan.model.values import Data, Sensitive, reveal
from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_terraform import recording
from groundplan_terraform.client import Terraform, find_tool
from groundplan_terraform.installation import EXECUTABLE
from groundplan_terraform.root_module import OVERRIDES, RootModule
from groundplan_terraform.workspace import LOCK_FILE, PACKED, STATE, kept_copy, open_workspace, read_copy

LOCATION: Final = "last_source_location"
_APPLIED_BY: Final = "applied_by"
_REMOTE: Final = "state_is_remote"
_OWN: Final = (
    *(STATE, PACKED, LOCK_FILE, OVERRIDES, LOCATION, _APPLIED_BY, _REMOTE),
    *(recording.RESOURCES, recording.OUTPUTS, recording.DRIFTS, recording.IS_DRIFTED),
    *(recording.PLAN, recording.PLAIN_TEXT_PLAN),
)


@operation()
def apply(ctx: OperationContext, /, **_: Data) -> None:
    """Make the world as the module says, with its source read afresh.

    Raises:
        RecoverableError: a provider failed; what was made until then is in the state.
        NonRecoverableError: the module is wrong, cannot be had, or there is no binary.
    """
    _apply(ctx, _overrides(ctx), afresh=True)


@operation()
def update(ctx: OperationContext, /, **_: Data) -> None:
    """Apply what the blueprint says now; what a reload gave is forgotten."""
    ctx.instance.runtime_properties.pop(OVERRIDES, None)
    _apply(ctx, {}, afresh=True)


@operation()
def reload_template(
    ctx: OperationContext,
    /,
    *,
    source: Data = None,
    source_path: str | None = None,
    variables: Mapping[str, Data] | None = None,
    environment_variables: Mapping[str, Data] | None = None,
    destroy_previous: bool = False,
    **_: Data,
) -> None:
    """Apply with another source or other variables, which count from now on; with none of them, apply again.

    Args:
        destroy_previous: remove what there is first.
    """
    given = _given(source, source_path, variables, environment_variables)
    overrides = _merged(_overrides(ctx), given)
    if destroy_previous:
        _destroy(ctx)
    _keep_overrides(ctx, overrides)
    _apply(ctx, overrides, afresh="source" in given or destroy_previous)


@operation()
def plan(
    ctx: OperationContext,
    /,
    *,
    source: Data = None,
    source_path: str | None = None,
    variables: Mapping[str, Data] | None = None,
    environment_variables: Mapping[str, Data] | None = None,
    **_: Data,
) -> None:
    """Note in the runtime properties `plan` and `plain_text_plan` what an apply would change; change nothing."""
    overrides = _merged(_overrides(ctx), _given(source, source_path, variables, environment_variables))
    with _session(ctx, overrides, afresh=True) as terraform:
        planned = terraform.plan()
    recording.record_plan(ctx, planned.changes, planned.text)


@operation()
def state_pull(ctx: OperationContext, /, **_: Data) -> None:
    """Note how the resources are now, and whether they have drifted.

    In the execution that has applied the module, that is known.
    """
    properties = ctx.instance.runtime_properties
    if properties.get(_APPLIED_BY) == ctx.execution_id and ctx.operation.name.endswith("lifecycle.start"):
        return
    with _session(ctx, _overrides(ctx)) as terraform:
        _changed(ctx, terraform, lambda: terraform.apply(refresh_only=True))
        recording.record_drifts(ctx, terraform.plan().changes)


@operation()
def check_drift(ctx: OperationContext, /, **_: Data) -> Data:
    """Return what an apply would change (see `recording.record_drifts`); empty for nothing."""
    with _session(ctx, _overrides(ctx)) as terraform:
        return recording.record_drifts(ctx, terraform.plan().changes)


@operation()
def check_status(ctx: OperationContext, /, **_: Data) -> Data:
    """Return the addresses of the resources, which are all there.

    Raises:
        NonRecoverableError: some are gone.
    """
    with _session(ctx, _overrides(ctx)) as terraform:
        gone = recording.vanished(terraform.plan(refresh_only=True).changes)
    if gone:
        raise NonRecoverableError(f"gone: {', '.join(gone)}")
    return sorted(ctx.instance.runtime_properties.get(recording.RESOURCES) or {})


@operation()
def import_resource(
    ctx: OperationContext,
    /,
    *,
    resource_address: str = "",
    resource_id: str = "",
    source: Data = None,
    source_path: str | None = None,
    variables: Mapping[str, Data] | None = None,
    environment_variables: Mapping[str, Data] | None = None,
    **_: Data,
) -> None:
    """Take a resource that exists into the state, where the module has a block for it."""
    if not resource_address or not resource_id:
        raise NonRecoverableError("give resource_address and resource_id")
    overrides = _merged(_overrides(ctx), _given(source, source_path, variables, environment_variables))
    with _session(ctx, overrides, afresh=True) as terraform:
        _changed(ctx, terraform, lambda: terraform.adopt(resource_address, resource_id))
    _keep_overrides(ctx, overrides)


@operation()
def destroy(ctx: OperationContext, /, **_: Data) -> None:
    """Remove all that the state has; forget the module."""
    _destroy(ctx)


@operation()
def setup_linters(ctx: OperationContext, /, **_: Data) -> None:
    """Refuse, before anything is made, what the node asks for and nobody does."""
    RootModule.from_properties(ctx.node.properties, _overrides(ctx))


@operation()
def refuse(ctx: OperationContext, /, **_: Data) -> None:
    """Tell that an operation of the published plugin is not there."""
    raise NonRecoverableError(f"{ctx.operation.name}: the terraform plugin does not do this yet")


def _apply(ctx: OperationContext, overrides: Mapping[str, Data], *, afresh: bool) -> None:
    with _session(ctx, overrides, afresh=afresh) as terraform:
        _changed(ctx, terraform, terraform.apply)
    properties = ctx.instance.runtime_properties
    properties[_APPLIED_BY] = ctx.execution_id
    properties[recording.DRIFTS], properties[recording.IS_DRIFTED] = {}, False
    for name in (recording.PLAN, recording.PLAIN_TEXT_PLAN):
        properties.pop(name, None)


def _destroy(ctx: OperationContext) -> None:
    properties = ctx.instance.runtime_properties
    if properties.get(_REMOTE) or _has_resources(ctx):
        with _session(ctx, _overrides(ctx)) as terraform:
            terraform.destroy()
    else:
        ctx.logger.info("the state has no resource: there is nothing to destroy")
    for name in _OWN:
        properties.pop(name, None)


def _has_resources(ctx: OperationContext) -> bool:
    """Whether any copy of the state has a resource, that of an attempt which was cut off among them."""
    if (ctx.lasting_folder / "terraform.tfstate").exists():
        return True
    copy = kept_copy(ctx)
    return copy is not None and not copy.is_empty


@contextmanager
def _session(ctx: OperationContext, overrides: Mapping[str, Data], *, afresh: bool = False) -> Iterator[Terraform]:
    """Give a module that is laid out and initialised; its state is recorded at the end, however that comes."""
    properties = ctx.instance.runtime_properties
    module = RootModule.from_properties(ctx.node.properties, overrides)
    tool = find_tool(ctx, noted=_noted_tool(ctx))
    with open_workspace(ctx) as workspace:
        try:
            workspace.lay_out(module, afresh=afresh)
            properties[LOCATION] = module.source.location
            terraform = Terraform(ctx, tool, module, workspace)
            terraform.init()
            if properties.get(_REMOTE) and not workspace.is_remote:
                raise NonRecoverableError(
                    "the state of this module is in a backend, and neither node nor module names one now: put the "
                    "backend back, and destroy the module before you take it out"
                )
            properties[_REMOTE] = workspace.is_remote
            yield terraform
        finally:
            recording.record_state(ctx, read_copy(workspace.state))


def _noted_tool(ctx: OperationContext) -> str:
    """Return the binary that the node which the module runs on has noted last, else the module itself."""
    hosts = [each.instance for each in ctx.neighbours if each.outgoing and each.node.is_a("cloudify.nodes.terraform")]
    noted = [instance.runtime_properties.get(EXECUTABLE) for instance in (*hosts, ctx.instance)]
    return str(next(filter(None, noted), ""))


def _changed(ctx: OperationContext, terraform: Terraform, change: Callable[[], object]) -> None:
    """Make a change and note what came of it."""
    change()
    recording.record(ctx, terraform.show())


def _overrides(ctx: OperationContext) -> Mapping[str, Data]:
    found: Data = reveal(ctx.instance.runtime_properties.get(OVERRIDES) or {})
    return found if isinstance(found, Mapping) else {}


def _keep_overrides(ctx: OperationContext, overrides: Mapping[str, Data]) -> None:
    """Keep what counts in the place of the node's properties; an environment is for credentials, and sealed."""
    environment = {name: Sensitive(each) for name, each in (overrides.get("environment_variables") or {}).items()}
    sealed = {"environment_variables": environment} if environment else {}
    ctx.instance.runtime_properties[OVERRIDES] = {**overrides, **sealed}


def _given(
    source: Data,
    source_path: str | None,
    variables: Mapping[str, Data] | None,
    environment_variables: Mapping[str, Data] | None,
) -> dict[str, Data]:
    given = {
        "source": {"location": source} if isinstance(source, str) and source else source,
        "source_path": source_path,
        "variables": variables,
        "environment_variables": environment_variables,
    }
    return {name: value for name, value in given.items() if value}


def _merged(overrides: Mapping[str, Data], given: Mapping[str, Data]) -> dict[str, Data]:
    merged = {**overrides, **given}
    for name in ("variables", "environment_variables"):
        if name in merged:
            merged[name] = {**(overrides.get(name) or {}), **(given.get(name) or {})}
    return merged
