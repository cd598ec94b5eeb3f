"""Parameters and options of RDS: set by a relationship to their group, from either end, and reset with it."""

from typing import Any

import boto3
import pytest
from tests.plugins.aws.conftest import between
from tests.plugins.aws.trials import TRIALS

from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle, settings
from groundplan_aws.resource import NODES
from groundplan_aws.rows.storage import OPTION_GROUP, PARAMETER_GROUP


@pytest.fixture
def rds(bench: Any) -> Any:
    return boto3.client("rds", endpoint_url=bench.account.endpoint, **bench.account.client_config)


def group_of(bench: Any, row: Any) -> Any:
    ctx = bench.node(row.node_type, TRIALS[row.node_type].config, name="group")
    lifecycle.create(ctx)
    return ctx


@pytest.mark.parametrize("turned", [False, True])
def test_a_parameter_is_set_in_its_group_and_gets_its_default_back(bench: Any, rds: Any, turned: bool) -> None:
    group = group_of(bench, PARAMETER_GROUP)
    config = {"ParameterName": "work_mem", "ParameterValue": "8192"}
    setting = bench.node(f"{NODES}rds.Parameter", {"kwargs": config}, name="setting")
    ctx = between(bench, *((setting, group) if turned else (group, setting)))

    def told() -> list[tuple[str, str, str]]:
        found = rds.describe_db_parameters(DBParameterGroupName="pg")["Parameters"]
        return [(one["ParameterName"], one["ParameterValue"], one["ApplyMethod"]) for one in found]

    for _ in range(2):
        settings.set_related(ctx)
    assert told() == [("work_mem", "8192", "immediate")]
    for _ in range(2):
        settings.reset_related(ctx)
    assert told() == []
    lifecycle.delete(group)
    settings.reset_related(ctx)


def test_an_option_is_put_into_its_group_and_taken_out(bench: Any, rds: Any) -> None:
    group = group_of(bench, OPTION_GROUP)
    config = {"OptionName": "MEMCACHED", "OptionSettings": [{"Name": "CHUNK_SIZE", "Value": "48"}]}
    ctx = between(bench, group, bench.node(f"{NODES}rds.Option", {"kwargs": config}, name="setting"))

    def told() -> list[tuple[str, list[dict[str, str]]]]:
        [found] = rds.describe_option_groups(OptionGroupName="options")["OptionGroupsList"]
        return [(one["OptionName"], one["OptionSettings"]) for one in found["Options"]]

    for _ in range(2):
        settings.set_related(ctx)
    assert told() == [("MEMCACHED", [{"Name": "CHUNK_SIZE", "Value": "48"}])]
    for _ in range(2):
        settings.reset_related(ctx)
    assert told() == []
    lifecycle.delete(group)
    settings.reset_related(ctx)


def test_an_option_is_called_by_its_resource_id_and_knows_its_security_group(bench: Any, rds: Any) -> None:
    option = bench.node(f"{NODES}rds.Option", {"kwargs": {"Port": 11211}}, name="option", resource_id="MEMCACHED")
    door = bench.node("SecurityGroup", name="door")
    door.instance.runtime_properties["aws_resource_id"] = "sg-1"
    for _ in range(2):
        settings.set_related(between(bench, option, door))
    settings.reset_related(between(bench, option, door))
    recorded = option.instance.runtime_properties["resource_config"]
    assert recorded == {"Port": 11211, "VpcSecurityGroupMemberships": ["sg-1"]}
    settings.set_related(between(bench, group_of(bench, OPTION_GROUP), option))
    [found] = rds.describe_option_groups(OptionGroupName="options")["OptionGroupsList"]
    assert [one["OptionName"] for one in found["Options"]] == ["MEMCACHED"]


def test_a_setting_without_a_group_is_refused_by_name(bench: Any) -> None:
    ends = [bench.node(f"{NODES}rds.Parameter", name=name) for name in ("one", "other")]
    with pytest.raises(NonRecoverableError, match="is a group of RDS"):
        settings.set_related(between(bench, *ends))
