"""Identity pools: a role is given for the kind that its node is called after, and others' roles stay."""

from typing import Any

import boto3
import pytest
from tests.plugins.aws.conftest import between
from tests.plugins.aws.trials import TRIALS

from groundplan.sdk import testing
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import lifecycle, pools
from groundplan_aws.resource import NODES
from groundplan_aws.rows.identity import IDENTITY_POOL

THEIRS = {"unauthenticated": "arn:aws:iam::123456789012:role/theirs"}


def test_a_role_is_given_and_taken_beside_those_of_others(bench: Any) -> None:
    pool = bench.node(IDENTITY_POOL.node_type, TRIALS[IDENTITY_POOL.node_type].config, name="pool")
    lifecycle.create(pool)
    known = pool.instance.runtime_properties["aws_resource_id"]
    client = boto3.client("cognito-identity", endpoint_url=bench.account.endpoint, **bench.account.client_config)
    client.set_identity_pool_roles(IdentityPoolId=known, Roles=THEIRS)
    arn = "arn:aws:iam::123456789012:role/ours"
    made: Any = {"aws_resource_id": "ours", "aws_resource_arn": arn}
    role = testing.end(node_type=f"{NODES}iam.Role", name="authenticated", runtime_properties=made)
    ctx = between(bench, pool, pool)
    ctx.source = role

    def roles() -> dict[str, str]:
        found: dict[str, str] = client.get_identity_pool_roles(IdentityPoolId=known)["Roles"]
        return found

    for _ in range(2):
        pools.give_role(ctx)
    assert roles() == {**THEIRS, "authenticated": arn}
    for _ in range(2):
        pools.take_role(ctx)
    assert roles() == THEIRS
    lifecycle.delete(pool)
    pools.take_role(ctx)
    made.clear()
    with pytest.raises(NonRecoverableError, match="was not made"):
        pools.give_role(ctx)
