"""CloudFormation: stacks that grow, roll back and go."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from groundplan_sandbox.aws.cloudformation.order import CircularError, creation_order

PASSWORD = "correct-horse"


class Cfn:
    """A VPC with two subnets, a client, and the template of a database in it."""

    def __init__(self, aws: Any, eventually: Callable[[Callable[[], bool]], None]) -> None:
        self.client, self.ec2, self.rds = aws.client("cloudformation"), aws.client("ec2"), aws.client("rds")
        self._eventually = eventually
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [self._subnet(vpc, "10.0.1.0/24", "us-west-1a"), self._subnet(vpc, "10.0.2.0/24", "us-west-1c")]
        self.resources: dict[str, Any] = {
            "Db": {
                "Type": "AWS::RDS::DBInstance",
                "Properties": {
                    "DBName": "shop-rdspsql",
                    "AllocatedStorage": 5,
                    "DBInstanceClass": "db.t2.small",
                    "Engine": "postgres",
                    "MasterUsername": "keeper",
                    "MasterUserPassword": PASSWORD,
                    "VPCSecurityGroups": [{"Ref": "Group"}],
                    "DBSubnetGroupName": {"Ref": "Subnets"},
                },
                "DeletionPolicy": "Snapshot",
            },
            "Group": {
                "Type": "AWS::EC2::SecurityGroup",
                "Properties": {"GroupDescription": "db", "GroupName": "shop-db", "VpcId": vpc},
            },
            "Subnets": {
                "Type": "AWS::RDS::DBSubnetGroup",
                "Properties": {"DBSubnetGroupDescription": "private", "SubnetIds": subnets},
            },
        }
        self.outputs = {
            "Host": {"Value": {"Fn::GetAtt": ["Db", "Endpoint.Address"]}},
            "Port": {"Value": {"Fn::GetAtt": ["Db", "Endpoint.Port"]}},
        }

    def _subnet(self, vpc: str, cidr: str, zone: str) -> str:
        return str(self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"])

    def create(self, **options: Any) -> str:
        template = {"Resources": self.resources, "Outputs": self.outputs}
        return str(self.client.create_stack(StackName="shop", TemplateBody=json.dumps(template), **options)["StackId"])

    def describe(self, stack: str = "shop") -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_stacks(StackName=stack)["Stacks"][0]
        return found

    def reaches(self, status: str, stack: str = "shop") -> dict[str, Any]:
        self._eventually(lambda: self.describe(stack)["StackStatus"] == status)
        return self.describe(stack)

    def events(self, stack: str = "shop") -> list[tuple[str, str]]:
        """Logical id and status, oldest first."""
        found = self.client.describe_stack_events(StackName=stack)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(found)]

    def refusal(self) -> str:
        with pytest.raises(ClientError) as caught:
            self.create()
        assert caught.value.response["Error"]["Code"] == "ValidationError"
        return str(caught.value)


@pytest.fixture
def cfn(aws: Any, eventually: Any) -> Cfn:
    return Cfn(aws, eventually)


def test_a_stack_brings_a_database_that_answers_and_takes_it_away(cfn: Cfn, aws: Any) -> None:
    stack = cfn.create()
    first = cfn.describe()
    assert (first["StackStatus"], first.get("Outputs")) == ("CREATE_IN_PROGRESS", None)
    outputs = {each["OutputKey"]: each["OutputValue"] for each in cfn.reaches("CREATE_COMPLETE")["Outputs"]}
    assert outputs["Port"] == "5432"
    with psycopg.connect(
        host=outputs["Host"], dbname="shop-rdspsql", user="keeper", password=PASSWORD, connect_timeout=5
    ) as database:
        assert database.execute("select 42").fetchone() == (42,)
    began = [name for name, status in cfn.events() if status == "CREATE_IN_PROGRESS"]
    assert (began[0], began[-1]) == ("shop", "Db")
    worn = cfn.rds.describe_db_instances()["DBInstances"][0]["VpcSecurityGroups"][0]["VpcSecurityGroupId"]
    named = {
        each["LogicalResourceId"]: each
        for each in cfn.client.list_stack_resources(StackName="shop")["StackResourceSummaries"]
    }
    assert named["Group"]["PhysicalResourceId"] == worn
    assert {each["ResourceStatus"] for each in named.values()} == {"CREATE_COMPLETE"}

    cfn.client.delete_stack(StackName="shop")
    assert cfn.describe()["StackStatus"] == "DELETE_IN_PROGRESS"
    cfn.reaches("DELETE_COMPLETE", stack)
    assert cfn.rds.describe_db_instances()["DBInstances"] == []
    assert cfn.rds.describe_db_subnet_groups()["DBSubnetGroups"] == []
    assert len(cfn.rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]) == 1
    assert [path for path in aws.folder.rglob("*") if path.is_file()] == []


def test_a_resource_that_fails_rolls_the_stack_back(cfn: Cfn) -> None:
    cfn.resources["Db"]["Properties"]["MasterUserPassword"] = "short"
    cfn.create()
    stack = cfn.reaches("ROLLBACK_COMPLETE")
    assert stack.get("Outputs") is None
    assert ("Db", "CREATE_FAILED") in cfn.events()
    events = cfn.client.describe_stack_events(StackName="shop")["StackEvents"]
    reasons = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"] == "CREATE_FAILED"]
    assert "not a valid password" in reasons[0]
    assert cfn.rds.describe_db_subnet_groups()["DBSubnetGroups"] == []
    with pytest.raises(ClientError, match="already exists"):
        cfn.create()
    cfn.client.delete_stack(StackName="shop")
    cfn._eventually(lambda: cfn.client.describe_stacks()["Stacks"] == [])


def test_a_stack_may_be_deleted_while_it_is_being_made(cfn: Cfn) -> None:
    stack = cfn.create()
    cfn._eventually(lambda: ("Db", "CREATE_IN_PROGRESS") in cfn.events())
    cfn.client.delete_stack(StackName="shop")
    cfn.reaches("DELETE_COMPLETE", stack)
    assert cfn.rds.describe_db_instances()["DBInstances"] == []


def test_a_stack_may_be_left_as_it_failed(cfn: Cfn) -> None:
    cfn.resources["Db"]["Properties"]["Engine"] = "mysql"
    cfn.create(OnFailure="DO_NOTHING")
    cfn.reaches("CREATE_FAILED")
    assert len(cfn.rds.describe_db_subnet_groups()["DBSubnetGroups"]) == 1


def test_what_cannot_be_a_stack_is_refused_at_once(cfn: Cfn) -> None:
    group = cfn.resources["Group"]
    cfn.resources["Odd"] = {"Type": "AWS::No::Such"}
    assert "Unrecognized resource types: [AWS::No::Such]" in cfn.refusal()
    del cfn.resources["Odd"]
    group["DependsOn"] = "Db"
    assert "Circular dependency" in cfn.refusal()
    assert cfn.client.describe_stacks()["Stacks"] == []


def test_drift_sees_what_was_deleted_behind_a_stack_s_back(cfn: Cfn) -> None:
    del cfn.resources["Db"]
    cfn.outputs = {"Group": {"Value": {"Ref": "Group"}}}
    cfn.create()
    group = cfn.reaches("CREATE_COMPLETE")["Outputs"][0]["OutputValue"]

    def drift() -> tuple[str, dict[str, str]]:
        detection = cfn.client.detect_stack_drift(StackName="shop")["StackDriftDetectionId"]
        status = cfn.client.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        assert status["DetectionStatus"] == "DETECTION_COMPLETE"
        rows = cfn.client.describe_stack_resource_drifts(StackName="shop")["StackResourceDrifts"]
        return status["StackDriftStatus"], {row["LogicalResourceId"]: row["StackResourceDriftStatus"] for row in rows}

    assert drift() == ("IN_SYNC", {"Group": "IN_SYNC", "Subnets": "IN_SYNC"})
    cfn.ec2.delete_security_group(GroupId=group)
    assert drift() == ("DRIFTED", {"Group": "DELETED", "Subnets": "IN_SYNC"})


def test_what_is_referred_to_comes_first() -> None:
    resources: dict[str, Any] = {
        "A": {"Properties": {"X": {"Fn::Sub": "http://${B.Name}/${AWS::Region}"}}},
        "B": {"Properties": {"X": [{"Fn::GetAtt": "C.Id"}]}},
        "C": {"DependsOn": ["D"]},
        "D": {"Properties": {"X": {"Ref": "AWS::StackName"}}},
    }
    assert creation_order(resources) == ["D", "C", "B", "A"]
    with pytest.raises(CircularError, match=r"A.*B|B.*A"):
        creation_order(resources | {"D": {"DependsOn": "A"}})
