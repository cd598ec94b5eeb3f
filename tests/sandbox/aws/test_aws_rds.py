"""RDS: instances that are PostgreSQL servers."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

PASSWORD = "s3cret-'pass'"


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


class Rds:
    """A VPC with two subnets, a security group, a subnet group, and a client."""

    def __init__(self, aws: Any, eventually: Callable[[Callable[[], bool]], None]) -> None:
        self.client, self.ec2, self.eventually = aws.client("rds"), aws.client("ec2"), eventually
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self._subnet("10.0.1.0/24", "us-west-1a"), self._subnet("10.0.2.0/24", "us-west-1c")]
        self.security = self.ec2.create_security_group(GroupName="db", Description="db", VpcId=self.vpc)["GroupId"]
        self.create_group()

    def _subnet(self, cidr: str, zone: str) -> str:
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, AvailabilityZone=zone)
        return str(made["Subnet"]["SubnetId"])

    def create_group(self, name: str = "Private", **options: Any) -> None:
        asked = {"DBSubnetGroupDescription": "private", "SubnetIds": self.subnets} | options
        self.client.create_db_subnet_group(DBSubnetGroupName=name, **asked)

    def create(self, **options: Any) -> dict[str, Any]:
        asked = {
            "DBInstanceIdentifier": "shop",
            "DBInstanceClass": "db.t3.micro",
            "AllocatedStorage": 5,
            "Engine": "postgres",
            "DBName": "shop-orders",
            "MasterUsername": "keeper",
            "MasterUserPassword": PASSWORD,
            "VpcSecurityGroupIds": [self.security],
            "DBSubnetGroupName": "Private",
        }
        made: dict[str, Any] = self.client.create_db_instance(**asked | options)["DBInstance"]
        return made

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]
        return found

    def reaches(self, state: str) -> dict[str, Any]:
        self.eventually(lambda: self.describe()["DBInstanceStatus"] == state)
        return self.describe()

    def gone(self) -> None:
        self.eventually(lambda: self.client.describe_db_instances()["DBInstances"] == [])


def query(endpoint: dict[str, Any], statement: str, password: str = PASSWORD) -> Any:
    """The first row of the last statement's answer."""
    host, port = endpoint["Address"], endpoint["Port"]
    with psycopg.connect(
        host=host, port=port, dbname="shop-orders", user="keeper", password=password, connect_timeout=5
    ) as database:
        *_, last = (database.execute(each) for each in statement.split("; "))
        return last.fetchone()


@pytest.fixture
def rds(aws: Any, eventually: Any) -> Rds:
    return Rds(aws, eventually)


def test_an_instance_is_a_postgresql_server_and_leaves_nothing(rds: Rds, aws: Any) -> None:
    created = rds.create()
    assert (created["DBInstanceStatus"], created.get("Endpoint")) == ("creating", None)
    assert code_of(lambda: rds.client.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)) == (
        "InvalidDBInstanceState"
    )
    instance = rds.reaches("available")
    endpoint = instance["Endpoint"]
    assert endpoint["Address"].startswith("127.30.")
    assert endpoint["Port"] == 5432
    assert query(endpoint, "select current_user, current_database()") == ("keeper", "shop-orders")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(endpoint, "select 1", "another-password")
    assert [group["VpcSecurityGroupId"] for group in instance["VpcSecurityGroups"]] == [rds.security]
    assert code_of(lambda: rds.ec2.delete_security_group(GroupId=rds.security)) == "DependencyViolation"
    assert code_of(lambda: rds.client.delete_db_subnet_group(DBSubnetGroupName="Private")) == (
        "InvalidDBSubnetGroupStateFault"
    )
    assert code_of(lambda: rds.client.delete_db_instance(DBInstanceIdentifier="shop")) == "InvalidParameterCombination"
    deleted = rds.client.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)["DBInstance"]
    assert deleted["DBInstanceStatus"] == "deleting"
    rds.gone()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        query(endpoint, "select 1")
    rds.client.delete_db_subnet_group(DBSubnetGroupName="Private")
    rds.ec2.delete_security_group(GroupId=rds.security)
    for subnet in rds.subnets:
        rds.ec2.delete_subnet(SubnetId=subnet)
    assert [path for path in aws.folder.rglob("*") if path.is_file()] == []


def test_a_new_master_password_counts_and_data_survives_a_stop(rds: Rds) -> None:
    rds.create()
    endpoint = rds.reaches("available")["Endpoint"]
    query(endpoint, "create table kept as select 42 as answer; select 1")
    rds.client.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="another-'pass'")
    rds.reaches("available")
    rds.client.stop_db_instance(DBInstanceIdentifier="shop")
    rds.reaches("stopped")
    rds.client.start_db_instance(DBInstanceIdentifier="shop")
    rds.reaches("available")
    assert query(endpoint, "select answer from kept", "another-'pass'") == (42,)


def test_what_rds_refuses_is_refused(rds: Rds) -> None:
    refused = "InvalidParameterValue"
    assert code_of(lambda: rds.create(Engine="mysql")) == refused
    assert code_of(lambda: rds.create(MasterUsername="admin")) == refused
    assert code_of(lambda: rds.create(MasterUserPassword="short")) == refused
    assert code_of(lambda: rds.create(VpcSecurityGroupIds=["sg-0"])) == refused
    assert code_of(lambda: rds.create(DBSubnetGroupName="nowhere")) == "DBSubnetGroupNotFoundFault"
    assert code_of(lambda: rds.create_group()) == "DBSubnetGroupAlreadyExists"
    assert code_of(lambda: rds.create_group("one", SubnetIds=rds.subnets[:1])) == "DBSubnetGroupDoesNotCoverEnoughAZs"
    assert rds.client.describe_db_instances()["DBInstances"] == []
