"""Each row of the table: made once however often it is tried, told apart from others', removed without a trace."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from tests.plugins.aws.conftest import Bench
from tests.plugins.aws.trials import OWN_VPC, PART_TRIALS, SUBNETS, TRIALS, UNTRIED

from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import buckets, finding, images, lifecycle, objects, parts, roles, spot
from groundplan_aws.catalogue import PARTS, RESOURCES
from groundplan_aws.part import Part
from groundplan_aws.resource import Resource
from groundplan_aws.rows import compute, ec2, iam, storage
from groundplan_aws.target import Target, on_target

CREATES = {
    iam.ROLE.node_type: roles.create,
    iam.INSTANCE_PROFILE.node_type: roles.create_profile,
    storage.OBJECT.node_type: objects.create,
    compute.FUNCTION.node_type: objects.create_function,
    ec2.IMAGE.node_type: images.create,
    ec2.SPOT_INSTANCES.node_type: spot.create,
}
NAMED = [name for name, trial in TRIALS.items() if trial.row.name]
REMOVES = {ec2.SPOT_INSTANCES.node_type: spot.delete, ec2.SPOT_FLEET.node_type: spot.delete_fleet}
DELETES = {storage.DATABASE.node_type: {"resource_config": {"SkipFinalSnapshot": True}}}


def creating(row: Resource) -> Callable[..., Any]:
    return CREATES.get(row.node_type, lifecycle.create)


def deleted(ctx: Any, row: Resource) -> None:
    REMOVES.get(row.node_type, lifecycle.delete)(ctx, **DELETES.get(row.node_type, {}))


def node(bench: Any, row: Resource | Part, made: dict[str, Any], name: str = "node") -> Any:
    """A node of the row's trial, with what it needs made before; `made` keeps what is there already."""
    trial = TRIALS.get(row.node_type) or PART_TRIALS[row.node_type]
    related = []
    for needed in trial.needs:
        if needed.node_type not in made:
            made[needed.node_type] = node(bench, needed, made, name=needed.label.replace(" ", "_"))
            creating(needed)(made[needed.node_type])
        related.append(bench.related(made[needed.node_type]))
    config = settled(bench, trial.config)
    return bench.node(row.node_type, config, neighbours=related, name=name, **trial.properties)


def settled(bench: Any, config: Any) -> Any:
    """A configuration with the ids of the subnets that the account came with."""
    if config in (SUBNETS, OWN_VPC):
        ec2 = boto3.client("ec2", endpoint_url=bench.account.endpoint, **bench.account.client_config)
        own = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        return [subnet["SubnetId"] for subnet in own] if config == SUBNETS else own[0]["VpcId"]
    return {name: settled(bench, value) for name, value in config.items()} if isinstance(config, dict) else config


def living(ctx: Any) -> list[dict[str, Any]]:
    """What the node owns in the account."""
    found: list[dict[str, Any]] = []

    @on_target
    def look(target: Target) -> None:
        found.extend(each for each in finding.owned(target) if target.lives(each))

    look(ctx)
    return found


@pytest.fixture(scope="module")
def ground(account: Any) -> Any:
    """A bench whose account is emptied once: each test removes what it made, which is a part of the proof."""
    account.empty()
    return Bench(account=account)


@pytest.fixture
def made() -> Iterator[dict[str, Any]]:
    """What the node under test needs, by type; removed after the test, last made first."""
    needed: dict[str, Any] = {}
    yield needed
    for name, ctx in reversed(needed.items()):
        deleted(ctx, RESOURCES[name])


@pytest.mark.parametrize("name", sorted(TRIALS))
def test_a_row_is_made_once_and_removed_without_a_trace(ground: Any, made: dict[str, Any], name: str) -> None:
    row = RESOURCES[name]
    ctx = node(ground, row, made)
    creating(row)(ctx)
    first = dict(ctx.instance.runtime_properties)
    assert first["aws_resource_id"]

    if not TRIALS[name].forgets:
        ctx.instance.runtime_properties.clear()
    creating(row)(ctx)
    assert ctx.instance.runtime_properties["aws_resource_id"] == first["aws_resource_id"]
    assert ctx.instance.runtime_properties.get("aws_resource_arn") == first.get("aws_resource_arn")
    assert len(living(ctx)) == 1 or TRIALS[name].forgets
    assert lifecycle.check_drift(ctx) == {}
    lifecycle.check_status(ctx)

    recorded = dict(ctx.instance.runtime_properties)
    if not TRIALS[name].forgets:
        ctx.instance.runtime_properties.clear()
    deleted(ctx, row)
    assert living(ctx) == []
    ctx.instance.runtime_properties.update(recorded)
    deleted(ctx, row)
    assert ctx.instance.runtime_properties == {}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_what_somebody_else_made_is_found_by_its_name_and_left(ground: Any, made: dict[str, Any], name: str) -> None:
    row, trial = RESOURCES[name], TRIALS[name]
    theirs, ours = node(ground, row, made, name="theirs"), node(ground, row, made)
    creating(row)(theirs)
    known = theirs.instance.runtime_properties["aws_resource_id"]
    if trial.refused:
        with pytest.raises(NonRecoverableError):
            creating(row)(ours)
        deleted(ours, row)
    external = ground.node(
        name,
        settled(ground, trial.config),
        neighbours=theirs.neighbours,
        use_external_resource=True,
        resource_id=known,
        **trial.properties,
    )
    creating(row)(external)
    assert external.instance.runtime_properties["aws_resource_id"] == known
    deleted(external, row)
    assert len(living(theirs)) == 1
    deleted(theirs, row)


@pytest.mark.parametrize("name", sorted(PART_TRIALS))
def test_a_part_is_put_in_once_and_taken_out_without_a_trace(ground: Any, made: dict[str, Any], name: str) -> None:
    row = PARTS[name]
    create, delete = (buckets.tag, buckets.untag) if "Tagging" in name else (parts.create, parts.delete)
    ctx = node(ground, row, made)
    create(ctx)
    first = dict(ctx.instance.runtime_properties)
    ctx.instance.runtime_properties.clear()
    create(ctx)
    assert ctx.instance.runtime_properties == first
    if row.look is not None:
        assert parts.check_status(ctx) == "present"
        assert parts.check_drift(ctx) == {}

    ctx.instance.runtime_properties.clear()
    delete(ctx)
    if row.delete:
        with pytest.raises(NonRecoverableError, match="does not exist"):
            parts.check_status(ctx)
    ctx.instance.runtime_properties.update(first)
    delete(ctx)
    assert ctx.instance.runtime_properties == {}


def test_every_row_is_tried_or_told_why_not() -> None:
    assert set(TRIALS) | set(PART_TRIALS) | set(UNTRIED) == set(RESOURCES) | set(PARTS)
