"""Rows of the node types of cloudify-aws-plugin before 2.0 (`cloudify.aws.nodes.*`), said in the newer types' words."""

from typing import Final

from groundplan_aws.older import (
    OLDER_NODES,
    Older,
    Word,
    complex_listeners,
    interface,
    launch,
    listeners,
    option,
    whole,
)
from groundplan_aws.resource import EC2_NODES, NODES, Path, Step


def _step(operation: str, path: str, function: str) -> Step:
    return Step(operation=operation, path=f"cloudify_aws.{path}", function=function)


def _lifecycle(create: str, delete: str, function: str = "lifecycle:create") -> tuple[Step, Step]:
    return _step("create", create, function), _step("delete", delete, "lifecycle:delete")


def _block(of: str) -> Word:
    return Word(
        name="cidr_block", type="string", to=("CidrBlock",), required=True, description=f"Addresses of the {of}."
    )


_OF_VPC: Final[dict[str, Path]] = {"vpc_id": ("VpcId",)}
_ZONE: Final = Word(
    name="availability_zone", default="", to=("AvailabilityZone",), description="Zone that it is made in."
)
_IPSEC: Final = Word(name="type", default="ipsec.1", to=("Type",), description="Kind of tunnel.")

VPC: Final = Older(
    node_type=f"{OLDER_NODES}VPC",
    newer=f"{EC2_NODES}Vpc",
    words=(
        _block("VPC"),
        Word(
            name="instance_tenancy",
            type="string",
            default="default",
            to=("InstanceTenancy",),
            description="Whose hardware instances run on.",
        ),
    ),
    steps=_lifecycle("vpc.vpc.create_vpc", "vpc.vpc.delete"),
    told_first={"default_dhcp_options_id": ("DhcpOptionsId",)},
)
SUBNET: Final = Older(
    node_type=f"{OLDER_NODES}Subnet",
    newer=f"{EC2_NODES}Subnet",
    words=(_block("subnet"), _ZONE),
    steps=_lifecycle("vpc.subnet.create_subnet", "vpc.subnet.delete_subnet"),
    told=_OF_VPC,
)
INTERNET_GATEWAY: Final = Older(
    node_type=f"{OLDER_NODES}InternetGateway",
    newer=f"{EC2_NODES}InternetGateway",
    words=(
        Word(
            name="cidr_block",
            default="0.0.0.0/0",
            description="Destination of the routes that relationships make to it.",
        ),
    ),
    steps=_lifecycle("vpc.gateway.create_internet_gateway", "vpc.gateway.delete_internet_gateway"),
)
ROUTE_TABLE: Final = Older(
    node_type=f"{OLDER_NODES}RouteTable",
    newer=f"{EC2_NODES}RouteTable",
    steps=_lifecycle("vpc.routetable.create_route_table", "vpc.routetable.delete_route_table", "routes:create_table"),
    told=_OF_VPC,
)
SECURITY_GROUP: Final = Older(
    node_type=f"{OLDER_NODES}SecurityGroup",
    newer=f"{EC2_NODES}SecurityGroup",
    named="GroupName",
    words=(
        Word(name="description", type="string", to=("Description",), required=True, description="What it is for."),
        Word(
            name="rules",
            default=[],
            description="Rules: ip_protocol, from_port, to_port, cidr_ip or src_group_id, egress.",
        ),
    ),
    steps=(
        *_lifecycle("ec2.securitygroup.create", "ec2.securitygroup.delete", "rules:create_group"),
        _step("update_rules", "ec2.securitygroup.update_rules", "rules:add_to_group"),
    ),
    told=_OF_VPC,
)
KEYPAIR: Final = Older(
    node_type=f"{OLDER_NODES}KeyPair",
    newer=f"{EC2_NODES}Keypair",
    named="KeyName",
    words=(
        Word(
            name="private_key_path",
            type="string",
            required=True,
            description="Accepted, and nothing is written there: the key is in create_response.KeyMaterial.",
        ),
        Word(
            name="store_in_runtime_properties",
            type="boolean",
            default=True,
            description="Keep the private key that EC2 made in create_response.",
        ),
    ),
    steps=_lifecycle("ec2.keypair.create", "ec2.keypair.delete", "keypairs:create"),
)
ELASTIC_IP: Final = Older(
    node_type=f"{OLDER_NODES}ElasticIP",
    newer=f"{EC2_NODES}ElasticIP",
    words=(Word(name="domain", to=("Domain",), description="vpc, which is all that EC2 has left."),),
    steps=(
        _step("create", "ec2.elasticip.create", "addresses:create"),
        _step("delete", "ec2.elasticip.delete", "addresses:delete"),
    ),
)
INSTANCE: Final = Older(
    node_type=f"{OLDER_NODES}Instance",
    newer=f"{EC2_NODES}Instances",
    words=(
        Word(name="image_id", type="string", to=("ImageId",), required=True, description="The image."),
        Word(name="instance_type", type="string", to=("InstanceType",), required=True, description="Its size."),
        Word(name="name", default="", description="Becomes the tag Name."),
        Word(
            name="parameters",
            default={},
            by=launch,
            description="Further parameters of the launch, in the words of boto 2 (placement) or boto3 (Placement).",
        ),
    ),
    steps=(
        *_lifecycle("ec2.instance.create", "ec2.instance.delete", "instances:create"),
        _step("start", "ec2.instance.start", "instances:start"),
        _step("stop", "ec2.instance.stop", "instances:stop"),
    ),
    told={
        "private_dns_name": ("PrivateDnsName",),
        "public_dns_name": ("PublicDnsName",),
        "placement": ("Placement", "AvailabilityZone"),
        "subnet_id": ("SubnetId",),
        **_OF_VPC,
    },
)
VOLUME: Final = Older(
    node_type=f"{OLDER_NODES}Volume",
    newer=f"{EC2_NODES}EBSVolume",
    words=(
        Word(name="size", by=whole("Size"), required=True, description="Gibibytes."),
        Word(name="zone", type="string", to=("AvailabilityZone",), required=True, description="Zone that it is in."),
        Word(
            name="device",
            type="string",
            property="device_name",
            required=True,
            description="Name under which a relationship attaches it to an instance.",
        ),
    ),
    steps=_lifecycle("ec2.ebs.create", "ec2.ebs.delete"),
    told={"zone": ("AvailabilityZone",)},
)
INTERFACE: Final = Older(
    node_type=f"{OLDER_NODES}Interface",
    newer=f"{EC2_NODES}Interface",
    words=(
        Word(
            name="parameters",
            default={},
            by=interface,
            description="Parameters of the create call, in the words of boto 2 or boto3.",
        ),
    ),
    steps=_lifecycle("ec2.eni.create", "ec2.eni.delete"),
    told={"subnet_id": ("SubnetId",), **_OF_VPC},
)
ACL: Final = Older(
    node_type=f"{OLDER_NODES}ACL",
    newer=f"{EC2_NODES}NetworkACL",
    words=(
        Word(
            name="acl_network_entries",
            default=[],
            description="Entries: rule_number, protocol, rule_action, cidr_block, egress, port_range_from and _to.",
        ),
    ),
    steps=_lifecycle("vpc.networkacl.create_network_acl", "vpc.networkacl.delete_network_acl", "entries:create_acl"),
    told=_OF_VPC,
)
DHCP_OPTIONS: Final = Older(
    node_type=f"{OLDER_NODES}DHCPOptions",
    newer=f"{EC2_NODES}DHCPOptions",
    words=(
        Word(name="domain_name", by=option("domain-name"), description="Domain of the instances."),
        Word(name="domain_name_servers", default=[], by=option("domain-name-servers"), description="DNS servers."),
        Word(name="ntp_servers", default=[], by=option("ntp-servers"), description="Time servers."),
        Word(
            name="netbios_name_servers", default=[], by=option("netbios-name-servers"), description="NetBIOS servers."
        ),
        Word(name="netbios_node_type", default="", by=option("netbios-node-type"), description="NetBIOS node type."),
    ),
    steps=_lifecycle("vpc.dhcp.create_dhcp_options", "vpc.dhcp.delete_dhcp_options"),
)
VPN_GATEWAY: Final = Older(
    node_type=f"{OLDER_NODES}VPNGateway",
    newer=f"{EC2_NODES}VPNGateway",
    words=(_IPSEC, _ZONE),
    steps=_lifecycle("vpc.gateway.create_vpn_gateway", "vpc.gateway.delete_vpn_gateway"),
)
CUSTOMER_GATEWAY: Final = Older(
    node_type=f"{OLDER_NODES}CustomerGateway",
    newer=f"{EC2_NODES}CustomerGateway",
    words=(
        _IPSEC,
        Word(name="ip_address", to=("PublicIp",), required=True, description="Static public address."),
        Word(name="bgp_asn", by=whole("BgpAsn"), required=True, description="Number of the autonomous system."),
    ),
    steps=_lifecycle("vpc.gateway.create_customer_gateway", "vpc.gateway.delete_customer_gateway"),
)
LOAD_BALANCER: Final = Older(
    node_type=f"{OLDER_NODES}ElasticLoadBalancer",
    newer=f"{NODES}elb.Classic.LoadBalancer",
    words=(
        Word(name="elb_name", type="string", to=("LoadBalancerName",), required=True, description="Its name."),
        Word(name="zones", to=("AvailabilityZones",), required=True, description="Zones; empty where subnets are."),
        Word(name="security_groups", default=[], to=("SecurityGroups",), description="Ids of security groups."),
        Word(
            name="listeners",
            by=listeners,
            required=True,
            description="Listeners, each [port, port of the instance, protocol, certificate].",
        ),
        Word(name="scheme", type="string", default="", to=("Scheme",), description="internal, or empty."),
        Word(name="subnets", default=[], to=("Subnets",), description="Ids of subnets."),
        Word(
            name="complex_listeners",
            default=[],
            by=complex_listeners,
            description="The same with the protocol of the instance in the fourth place.",
        ),
        Word(name="health_checks", default=[], description="Health checks; the last one holds, as AWS has one."),
    ),
    steps=(
        *_lifecycle("ec2.elasticloadbalancer.create", "ec2.elasticloadbalancer.delete"),
        _step("start", "ec2.elasticloadbalancer.start", "classic:check_health"),
    ),
    told={"elb_name": ("LoadBalancerName",)},
)

ROWS: Final = (
    VPC,
    SUBNET,
    INTERNET_GATEWAY,
    ROUTE_TABLE,
    SECURITY_GROUP,
    KEYPAIR,
    ELASTIC_IP,
    INSTANCE,
    VOLUME,
    INTERFACE,
    ACL,
    DHCP_OPTIONS,
    VPN_GATEWAY,
    CUSTOMER_GATEWAY,
    LOAD_BALANCER,
)
OLDER: Final = {row.node_type: row for row in ROWS}
