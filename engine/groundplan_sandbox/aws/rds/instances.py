"""DB instances: creating until PostgreSQL answers, deleting until it is gone, with what is in a subnet meanwhile.

moto's are available at once under a made-up name. Parameter groups, option groups and snapshots are moto's own: they
are recorded, and hold no data.
"""

import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds import models
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, RDSClientError

from groundplan_sandbox.aws.ec2.attach import attach, detach
from groundplan_sandbox.aws.rds.answers import Urls
from groundplan_sandbox.aws.site import Site
from groundplan_sandbox.postgres.server import PostgresServer

ENGINE = "postgres"
PORT = 5432
_USER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_RESERVED = frozenset({"admin", "rdsadmin", "rds_superuser", "public", "none"})
_PASSWORD = re.compile(r"[!#-.0-?A-~]{8,128}")
"""Printable ASCII but for the four that RDS excludes: slash, double quote, at sign, space."""
_DELETABLE = frozenset({"available", "failed", "stopped", "incompatible-parameters"})
_ZONES = 2


def install(site: Site) -> None:
    """Make every RDS region of this process one of `site`."""
    models.rds_backends.backend = type("SandboxRDS", (Databases,), {"site": site})
    # Read by descriptions and by CloudFormation's outputs; moto makes both up from the name.
    models.DBInstance.endpoint = property(_endpoint)
    models.DBInstance.address = property(lambda instance: (_endpoint(instance) or {}).get("Address"))


def _endpoint(instance: Any) -> dict[str, Any] | None:
    address = getattr(instance, "server_address", None)
    return {"Address": address, "Port": int(instance.port), "HostedZoneId": "Z000SANDBOX"} if address else None


class Databases(models.RDSBackend):  # type: ignore[misc]  # moto's classes are untyped to us
    """RDS of one region. moto makes backends itself, so the site is the class's."""

    site: Site

    @property
    def _url_module(self) -> Any:
        """moto finds a backend's URLs by the name of its module, which a subclass elsewhere would hide."""
        return Urls

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> models.DBInstance:
        """`creating` first. Refused: an engine but postgres, unknown groups, names and passwords that RDS refuses."""
        _require_instance(db_kwargs)
        for group_id in db_kwargs.get("vpc_security_group_ids") or []:
            if self._ec2.get_security_group_from_id(group_id) is None:
                raise InvalidParameterValue(f"Invalid security group , groupId= {group_id}, groupName=.")
        if name := db_kwargs.get("db_subnet_group_name"):
            db_kwargs["db_subnet_group_name"] = name.lower()
        password = db_kwargs["master_user_password"]
        instance = super().create_db_instance(db_kwargs)
        instance.status, instance.interface = "creating", self._enter_subnet(instance)
        instance.server_name = f"rds-{uuid.uuid4().hex}"
        self.site.servers.reserve(instance.server_name)
        self.site.transitions.perform(
            lambda: self.site.servers.start(
                instance.server_name, lambda at, folder: self._server(instance, password, at, folder)
            ),
            lambda started: _arrive(instance, started),
            lambda error: _fail(instance, error),
        )
        return instance

    def delete_db_instance(self, db_instance_identifier: str, *args: Any, **kwargs: Any) -> models.DBInstance:
        """`deleting` first; the server, its data and its interface are gone when the instance is.

        Refused: without word on a last snapshot (InvalidParameterCombination), and while it is being created.
        """
        instance = self.describe_db_instances(db_instance_identifier)[0]
        snapshot = kwargs.pop("final_db_snapshot_identifier", None)
        if not snapshot and not kwargs.pop("skip_final_snapshot", False):
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        if instance.deletion_protection:
            raise InvalidParameterCombination(
                "Cannot delete protected DB Instance, please disable deletion protection and try again."
            )
        if instance.status not in _DELETABLE:
            raise _wrong_state(
                f"Instance {db_instance_identifier} is currently {instance.status} - it cannot be deleted"
            )
        if snapshot:
            self.create_db_snapshot(db_instance_identifier, snapshot, snapshot_type="manual")
        instance.status = "deleting"

        def gone(_: None) -> None:
            if self.databases.get(db_instance_identifier) is instance:
                self._leave_subnet(instance)
                models.RDSBackend.delete_db_instance(self, db_instance_identifier, skip_final_snapshot=True)

        self.site.transitions.perform(
            lambda: self.site.servers.end(instance.server_name), gone, lambda error: _fail(instance, error)
        )
        return instance

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> models.DBInstance:
        """A new master password reaches the server (`modifying` meanwhile); the rest is recorded at once."""
        instance = self.describe_db_instances(db_instance_identifier)[0]
        password = db_kwargs.get("master_user_password")
        if password:
            _require_password(password)
            if instance.status != "available":
                raise _wrong_state(f"Database instance is not in available state: {instance.status}")
        changed = super().modify_db_instance(db_instance_identifier, db_kwargs)
        if password:
            self._through(instance, "modifying", lambda: instance.server.set_password(password), "available")
        return changed

    def stop_db_instance(self, db_instance_identifier: str, *args: Any, **kwargs: Any) -> models.DBInstance:
        """`stopping` first; the server does not answer from then on, and keeps its data."""
        instance = super().stop_db_instance(db_instance_identifier, *args, **kwargs)
        self._through(instance, "stopping", instance.server.stop, "stopped")
        return instance

    def start_db_instance(self, db_instance_identifier: str) -> models.DBInstance:
        """`starting` first."""
        instance = super().start_db_instance(db_instance_identifier)
        self._through(instance, "starting", instance.server.start, "available")
        return instance

    def reboot_db_instance(self, db_instance_identifier: str) -> models.DBInstance:
        """`rebooting` first; clients lose their connections."""
        instance = super().reboot_db_instance(db_instance_identifier)
        if instance.status != "available":
            raise _wrong_state(f"Instance {db_instance_identifier} is not in available state.")

        def restart() -> None:
            instance.server.stop()
            instance.server.start()

        self._through(instance, "rebooting", restart, "available")
        return instance

    def create_subnet_group(self, subnet_name: str, description: str, subnets: list[Any], tags: Any) -> Any:
        """Refused: a name taken, subnets of one zone only. Names are lower case."""
        name = subnet_name.lower()
        if name in self.subnet_groups:
            raise RDSClientError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
        if len({subnet.availability_zone for subnet in subnets}) < _ZONES:
            raise RDSClientError(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
                "Current AZ coverage is too small. Add subnets to cover at least 2 AZs.",
            )
        return super().create_subnet_group(name, description, subnets, tags)

    def delete_subnet_group(self, subnet_name: str) -> Any:
        """Refused while an instance is in it (InvalidDBSubnetGroupStateFault)."""
        name = subnet_name.lower()
        group = self.subnet_groups.get(name)
        if group is not None and any(getattr(i, "db_subnet_group", None) is group for i in self.databases.values()):
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{name}' because at least one database instance is still using it.",
            )
        return super().delete_subnet_group(name)

    def create_db_cluster(self, kwargs: dict[str, Any]) -> Any:
        """Refused: there is no Aurora here, and a cluster that nobody can connect to would prove nothing."""
        raise InvalidParameterValue(
            f"The sandbox has no DB clusters; a DB instance of engine {ENGINE} is a real server."
        )

    @property
    def _ec2(self) -> Any:
        return ec2_backends[self.account_id][self.region_name]

    def _server(self, instance: Any, password: str, address: str, folder: Path) -> PostgresServer:
        return PostgresServer(
            folder,
            [address],
            superuser=instance.master_username,
            password=password,
            database=instance.db_name,
            port=int(instance.port),
            confined=self.site.confined,
        )

    def _through(self, instance: Any, state: str, work: Callable[[], None], after: str) -> None:
        instance.status = state

        def settle(_: None) -> None:
            if instance.status == state:
                instance.status = after

        self.site.transitions.perform(work, settle, lambda error: _fail(instance, error))

    def _enter_subnet(self, instance: Any) -> Any:
        """The instance's interface, in a subnet of its group or of the default VPC."""
        group = getattr(instance, "db_subnet_group", None)
        if group is not None:
            subnet_id = group.subnets[0]["SubnetIdentifier"]
        else:
            default = self._ec2.default_vpc
            found = [subnet.id for subnet in self._ec2.get_all_subnets() if default and subnet.vpc_id == default.id]
            if not found:
                return None
            subnet_id = found[0]
        return attach(self._ec2, subnet_id, instance.vpc_security_group_ids, "RDSNetworkInterface")

    def _leave_subnet(self, instance: Any) -> None:
        if instance.interface is not None:
            detach(self._ec2, instance.interface)


def _arrive(instance: Any, started: tuple[str, PostgresServer]) -> None:
    instance.server_address, instance.server = started
    instance.status = "available"


def _fail(instance: Any, error: Exception) -> None:
    instance.status, instance.failure = "failed", str(error)


def _require_instance(given: dict[str, Any]) -> None:
    engine = given.get("engine")
    if engine != ENGINE:
        raise InvalidParameterValue(f"Invalid DB engine: {engine}. The sandbox has {ENGINE} only.")
    user = given.get("master_username") or ""
    if not _USER.fullmatch(user) or user.startswith("pg_"):
        raise InvalidParameterValue("The parameter MasterUsername must be provided and must not be blank or malformed.")
    if user.lower() in _RESERVED:
        raise InvalidParameterValue(f"MasterUsername {user} cannot be used as it is a reserved word used by the engine")
    _require_password(given.get("master_user_password") or "")
    given["port"] = int(given.get("port") or PORT)


def _require_password(password: str) -> None:
    if not _PASSWORD.fullmatch(password):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. "
            "It must have 8 to 128 printable ASCII characters; "
            "'/', '@', '\"' and ' ' may not be used."
        )


def _wrong_state(message: str) -> Exception:
    error: Exception = RDSClientError("InvalidDBInstanceState", message)
    return error
