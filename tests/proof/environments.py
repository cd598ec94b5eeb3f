"""The application in its three kinds of environment, installed side by side by one user in one sandbox.

The command that installs production is killed while Amazon makes the cluster and the database, and the execution is
resumed, so that whatever holds of production holds after a kill. `Account` counts what there is, as its owner would.
"""

import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .clients import Keys, amazon
from .user import ROOT, User, eventually

KINDS = {"app_dev_small": "dev-small", "app_dev_large": "dev-large", "app_prod": "production"}
"""Deployments of the application, with their kinds of environment."""
CLUSTER = "aws-production-cluster"
PATIENCE = 240
"""Seconds that a command may take while others of its weight run."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The emulated account, seen by Amazon's own clients. `pid`: of the sandbox."""

    endpoint: str
    keys: Keys
    pid: int

    def client(self, service: str) -> Any:
        return amazon(service, self.endpoint, self.keys)

    def census(self) -> dict[str, int]:
        """How much there is of whatever costs money or stands in somebody's way, without what every account has."""
        ec2, eks, iam = self.client("ec2"), self.client("eks"), self.client("iam")
        clusters = eks.list_clusters()["clusters"]
        [given], networks = _parted(ec2.describe_vpcs()["Vpcs"])
        gateways = ec2.describe_internet_gateways()["InternetGateways"]
        ours = [{"Name": "vpc-id", "Values": [found["VpcId"] for found in networks] or ["none"]}]
        instances = [found for page in ec2.describe_instances()["Reservations"] for found in page["Instances"]]
        groups = ec2.describe_security_groups(Filters=ours)["SecurityGroups"]
        tables = ec2.describe_route_tables(Filters=ours)["RouteTables"]
        counted: dict[str, Iterable[Any]] = {
            "networks": networks,
            "subnets": ec2.describe_subnets(Filters=ours)["Subnets"],
            "gateways": [each for each in gateways if given["VpcId"] not in str(each["Attachments"])],
            "NAT gateways": [
                found for found in ec2.describe_nat_gateways()["NatGateways"] if found["State"] != "deleted"
            ],
            "route tables": [table for table in tables if not any(one["Main"] for one in table["Associations"])],
            "security groups": [group for group in groups if group["GroupName"] != "default"],
            "addresses": ec2.describe_addresses()["Addresses"],
            "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
            "machines": [found for found in instances if found["State"]["Name"] != "terminated"],
            "roles": iam.list_roles()["Roles"],
            "clusters": clusters,
            "node groups": [name for each in clusters for name in eks.list_nodegroups(clusterName=each)["nodegroups"]],
            "databases": self.client("rds").describe_db_instances()["DBInstances"],
            "subnet groups": self.client("rds").describe_db_subnet_groups()["DBSubnetGroups"],
            "stacks": self.client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])[
                "StackSummaries"
            ],
            "buckets": self.client("s3").list_buckets()["Buckets"],
        }
        return {name: len(list(found)) for name, found in counted.items()}


def _parted(networks: list[Any]) -> tuple[list[Any], list[Any]]:
    """The network that every account has, and the others."""
    return [each for each in networks if each["IsDefault"]], [each for each in networks if not each["IsDefault"]]


def account_of(user: User) -> Account:
    """Return the account of the user's sandbox."""
    status, *secrets = user.all_json(
        ("sandbox", "status"),
        ("secrets", "get", "aws_access_key_id", "--reveal"),
        ("secrets", "get", "aws_secret_access_key", "--reveal"),
    )
    keys = Keys(id=secrets[0]["value"], secret=secrets[1]["value"])
    return Account(endpoint=status["services"]["aws"], keys=keys, pid=status["pid"])


def bring_up(user: User) -> Account:
    """Install the three, all at the same time; production is killed half-way and resumed."""
    user.all_ok(
        ("blueprints", "upload", "--all", ROOT / "blueprints"),
        ("secrets", "import", ROOT / "secrets.example.json"),
        *(("deployments", "create", name, "-b", "app", "-i", f"env_type={kind}") for name, kind in KINDS.items()),
    )
    account = account_of(user)

    def install(name: str) -> str:
        if name != "app_prod":
            return run(user, "executions", "start", "install", "-d", name)
        with user.running("executions", "start", "install", "-d", name) as process:
            eks = account.client("eks")
            eventually(lambda: is_making_the_cluster(eks), PATIENCE, "the making of the cluster")
            process.send_signal(signal.SIGKILL)
        return run(user, "executions", "resume", user.latest(name)["id"])

    at_once(install, KINDS)
    return account


def take_down(user: User) -> Mapping[str, str]:
    """Uninstall the three, all at the same time; return what each command said."""
    return at_once(lambda name: run(user, "executions", "start", "uninstall", "-d", name), KINDS)


def is_making_the_cluster(eks: Any) -> bool:
    """Whether Amazon is making the cluster of production right now."""
    if CLUSTER not in eks.list_clusters()["clusters"]:
        return False
    return bool(eks.describe_cluster(name=CLUSTER)["cluster"]["status"] == "CREATING")


def run(user: User, *arguments: str) -> str:
    """Run a command that must succeed, and has more time than usual."""
    done = user.run(*arguments, timeout=PATIENCE)
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr}"
    return done.stdout


def at_once(act: Callable[[str], str], names: Iterable[str]) -> dict[str, str]:
    """Do the same for several names at the same time; return what came of each."""
    given = list(names)
    with ThreadPoolExecutor(len(given)) as threads:
        return dict(zip(given, threads.map(act, given), strict=True))
