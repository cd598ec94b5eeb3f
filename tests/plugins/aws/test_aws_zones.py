"""Hosted zones: private by a related VPC; what they hold goes with them where the author says so."""

from typing import Any

import boto3
import pytest

from groundplan.sdk.errors import NonRecoverableError
from groundplan.sdk.testing import run_twice
from groundplan_aws import lifecycle, parts, zones
from groundplan_aws.resource import NODES
from groundplan_aws.rows.traffic import HOSTED_ZONE

RECORD = {"Name": "www.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}


@pytest.fixture
def route53(bench: Any) -> Any:
    return boto3.client("route53", endpoint_url=bench.account.endpoint, **bench.account.client_config)


def zone(bench: Any, route53: Any) -> Any:
    """A zone with a record that its node did not make."""
    ctx = bench.node(HOSTED_ZONE.node_type, {"Name": "example.com."})
    run_twice(zones.create, ctx)
    known = ctx.instance.runtime_properties["aws_resource_id"]
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": RECORD}]}
    route53.change_resource_record_sets(HostedZoneId=known, ChangeBatch=changes)
    return ctx


def test_a_zone_with_records_stays_in_the_words_of_route_53(bench: Any, route53: Any) -> None:
    with pytest.raises(NonRecoverableError, match="DeleteHostedZone: HostedZoneNotEmpty"):
        zones.delete(zone(bench, route53))
    assert len(route53.list_hosted_zones()["HostedZones"]) == 1


def test_a_zone_with_records_goes_when_they_may(bench: Any, route53: Any) -> None:
    ctx = zone(bench, route53)
    for _ in range(2):
        zones.delete(ctx, force_delete=True)
    assert route53.list_hosted_zones()["HostedZones"] == []


def test_a_zone_with_a_vpc_is_private(bench: Any, route53: Any) -> None:
    vpc = bench.node("Vpc", {"CidrBlock": "10.0.0.0/16"}, name="vpc")
    lifecycle.create(vpc)
    ctx = bench.node(HOSTED_ZONE.node_type, {"Name": "example.com."}, neighbours=[bench.related(vpc)])
    run_twice(zones.create, ctx)
    told = route53.get_hosted_zone(Id=ctx.instance.runtime_properties["aws_resource_id"])
    assert told["HostedZone"]["Config"]["PrivateZone"]
    place = {"VPCRegion": "us-west-1", "VPCId": vpc.instance.runtime_properties["aws_resource_id"]}
    assert told["VPCs"] == [place]


def test_a_zone_and_its_records_may_be_told_as_older_blueprints_do(bench: Any, route53: Any) -> None:
    ctx = bench.node(HOSTED_ZONE.node_type, resource_id="example.com")
    run_twice(zones.create, ctx)
    known = ctx.instance.runtime_properties["aws_resource_id"]
    record = bench.node(f"{NODES}route53.RecordSet", neighbours=[bench.related(ctx)], name="record")
    lifecycle.prepare(record, resource_config={"Action": "UPSERT", "ResourceRecordSet": RECORD})
    run_twice(parts.create, record)
    kinds = {found["Type"] for found in route53.list_resource_record_sets(HostedZoneId=known)["ResourceRecordSets"]}
    assert kinds == {"NS", "SOA", "A"}
    run_twice(parts.delete, record)
    zones.delete(ctx)
    assert route53.list_hosted_zones()["HostedZones"] == []


def test_a_record_that_somebody_else_has_made_is_refused_and_stays_when_the_node_goes(bench: Any, route53: Any) -> None:
    known = zone(bench, route53).instance.runtime_properties["aws_resource_id"]
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": RECORD}]}
    record = bench.node(f"{NODES}route53.RecordSet", {"HostedZoneId": known, "ChangeBatch": changes}, name="record")
    for _ in range(2):
        with pytest.raises(NonRecoverableError, match="already exists"):
            parts.create(record)
    parts.delete(record)
    assert RECORD in route53.list_resource_record_sets(HostedZoneId=known)["ResourceRecordSets"]
