"""Parameters and options of RDS, which a relationship to their group sets and resets, whichever end it starts from."""

from typing import Any, Final

from groundplan.model.values import Data
from groundplan.sdk.context import End, OperationContext
from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.operation import operation
from groundplan_aws.client import account_of, connect
from groundplan_aws.failures import unless_gone
from groundplan_aws.relation import ends, id_of
from groundplan_aws.resource import NODES
from groundplan_aws.rows.ec2 import SECURITY_GROUP
from groundplan_aws.rows.storage import OPTION_GROUP, PARAMETER_GROUP
from groundplan_aws.target import merged

_PARAMETER: Final = f"{NODES}rds.Parameter"
_MEMBERS: Final = "VpcSecurityGroupMemberships"
_GROUPS: Final = (PARAMETER_GROUP.node_type, OPTION_GROUP.node_type)


@operation()
def set_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Set the parameter or option in its group; an option's security group is noted for that."""
    source, target = ends(ctx)
    if target.node.is_a(SECURITY_GROUP.node_type):
        _note_member(source, id_of(target))
        return None
    group, setting = _sides(ctx)
    given = _config(setting, inputs)
    if group.node.is_a(PARAMETER_GROUP.node_type):
        wanted = {"ApplyMethod": "immediate", **given}
        _call(ctx, group, "modify_db_parameter_group", Parameters=[wanted])
    else:
        _call(ctx, group, "modify_option_group", OptionsToInclude=[given], ApplyImmediately=True)
    return None


@operation()
def reset_related(ctx: OperationContext, /, **inputs: Any) -> Data:
    """Give the parameter its default again, or take the option out; a group that is gone is done."""
    if ends(ctx)[1].node.is_a(SECURITY_GROUP.node_type):
        return None
    group, setting = _sides(ctx)
    given = _config(setting, inputs)
    if not group.instance.runtime_properties.get("aws_resource_id"):
        return None
    with unless_gone():
        if group.node.is_a(PARAMETER_GROUP.node_type):
            known = {"ParameterName": given.get("ParameterName"), "ApplyMethod": given.get("ApplyMethod", "immediate")}
            _call(ctx, group, "reset_db_parameter_group", Parameters=[known])
        else:
            name = given.get("OptionName")
            _call(ctx, group, "modify_option_group", OptionsToRemove=[name], ApplyImmediately=True)
    return None


def _sides(ctx: OperationContext) -> tuple[End, End]:
    """The group and the setting."""
    source, target = ends(ctx)
    for group, setting in ((source, target), (target, source)):
        if any(group.node.is_a(known) for known in _GROUPS):
            return group, setting
    raise NonRecoverableError(f"neither {source.node.name} nor {target.node.name} is a group of RDS")


def _config(setting: End, inputs: dict[str, Any]) -> dict[str, Any]:
    recorded: Any = setting.instance.runtime_properties.get("resource_config")
    own = "ParameterName" if setting.node.is_a(_PARAMETER) else "OptionName"
    named = {own: setting.node.properties.get("resource_id")} if setting.node.properties.get("resource_id") else {}
    return {
        **named,
        **merged(recorded or setting.node.properties.get("resource_config")),
        **merged(inputs.get("resource_config")),
    }


def _note_member(option: End, security_group: str) -> None:
    record: Any = option.instance.runtime_properties
    config = merged(record.get("resource_config") or option.node.properties.get("resource_config"))
    members = [*config.get(_MEMBERS, ()), security_group]
    record["resource_config"] = {**config, _MEMBERS: list(dict.fromkeys(members))}


def _call(ctx: OperationContext, group: End, method: str, **parameters: Any) -> None:
    api = connect("rds", account_of(ctx, group.node.properties.get("client_config") or {}))
    named = PARAMETER_GROUP if group.node.is_a(PARAMETER_GROUP.node_type) else OPTION_GROUP
    api.call(method, **{named.id_field: id_of(group)}, **parameters)
