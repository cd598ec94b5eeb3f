"""The table of resources: one row for each node type that AWS makes, finds and removes by an id.

Rules of security groups and routes have no id by which to find them: `rules` and `routes` do those.
"""

from typing import Final

from groundplan.sdk.context import NodeView
from groundplan.sdk.errors import NonRecoverableError
from groundplan_aws import completion
from groundplan_aws.resource import EC2_NODES, Gift, Resource

VPC: Final = Resource(
    node_type=f"{EC2_NODES}Vpc",
    label="VPC",
    create="create_vpc",
    made=("Vpc",),
    describe="describe_vpcs",
    listed=("Vpcs",),
    id_field="VpcId",
    ids="VpcIds",
    modify="modify_vpc_attribute",
    delete="delete_vpc",
    tagged_as="vpc",
    state=("State",),
    healthy=frozenset({"available"}),
    ready="vpc_available",
)

SUBNET: Final = Resource(
    node_type=f"{EC2_NODES}Subnet",
    label="subnet",
    create="create_subnet",
    made=("Subnet",),
    describe="describe_subnets",
    listed=("Subnets",),
    id_field="SubnetId",
    ids="SubnetIds",
    modify="modify_subnet_attribute",
    delete="delete_subnet",
    tagged_as="subnet",
    state=("State",),
    healthy=frozenset({"available"}),
    ready="subnet_available",
    gifts=(Gift(parameter="VpcId", node_type=VPC.node_type),),
    complete=completion.subnet,
)

INTERNET_GATEWAY: Final = Resource(
    node_type=f"{EC2_NODES}InternetGateway",
    label="internet gateway",
    create="create_internet_gateway",
    made=("InternetGateway",),
    describe="describe_internet_gateways",
    listed=("InternetGateways",),
    id_field="InternetGatewayId",
    ids="InternetGatewayIds",
    delete="delete_internet_gateway",
    tagged_as="internet-gateway",
    ready="internet_gateway_exists",
    later=("VpcId",),
)

ROUTE_TABLE: Final = Resource(
    node_type=f"{EC2_NODES}RouteTable",
    label="route table",
    create="create_route_table",
    made=("RouteTable",),
    describe="describe_route_tables",
    listed=("RouteTables",),
    id_field="RouteTableId",
    ids="RouteTableIds",
    delete="delete_route_table",
    tagged_as="route-table",
    gifts=(Gift(parameter="VpcId", node_type=VPC.node_type),),
)

SECURITY_GROUP: Final = Resource(
    node_type=f"{EC2_NODES}SecurityGroup",
    label="security group",
    create="create_security_group",
    describe="describe_security_groups",
    listed=("SecurityGroups",),
    id_field="GroupId",
    ids="GroupIds",
    delete="delete_security_group",
    tagged_as="security-group",
    ready="security_group_exists",
    gifts=(Gift(parameter="VpcId", node_type=VPC.node_type),),
)

INTERFACE: Final = Resource(
    node_type=f"{EC2_NODES}Interface",
    label="network interface",
    create="create_network_interface",
    made=("NetworkInterface",),
    describe="describe_network_interfaces",
    listed=("NetworkInterfaces",),
    id_field="NetworkInterfaceId",
    ids="NetworkInterfaceIds",
    modify="modify_network_interface_attribute",
    delete="delete_network_interface",
    tagged_as="network-interface",
    state=("Status",),
    healthy=frozenset({"available", "associated", "in-use"}),
    ready="network_interface_available",
    later=("InstanceId", "DeviceIndex"),
    gifts=(
        Gift(parameter="SubnetId", node_type=SUBNET.node_type),
        Gift(parameter="Groups", node_type=SECURITY_GROUP.node_type),
    ),
)

ELASTIC_IP: Final = Resource(
    node_type=f"{EC2_NODES}ElasticIP",
    label="elastic IP",
    create="allocate_address",
    describe="describe_addresses",
    listed=("Addresses",),
    id_field="PublicIp",
    ids="PublicIps",
    delete="release_address",
    delete_field="AllocationId",
    later=("NetworkInterfaceId", "InstanceId", "PrivateIpAddress", "AllowReassociation"),
    tagged_as="elastic-ip",
    defaults={"Domain": "vpc"},
)

KEYPAIR: Final = Resource(
    node_type=f"{EC2_NODES}Keypair",
    label="key pair",
    create="create_key_pair",
    describe="describe_key_pairs",
    listed=("KeyPairs",),
    id_field="KeyName",
    ids="KeyNames",
    delete="delete_key_pair",
    tagged_as="key-pair",
    ready="key_pair_exists",
    told_once=("KeyMaterial",),
    complete=completion.keypair,
)

INSTANCES: Final = Resource(
    node_type=f"{EC2_NODES}Instances",
    label="instance",
    create="run_instances",
    made=("Instances",),
    describe="describe_instances",
    listed=("Reservations", "Instances"),
    id_field="InstanceId",
    ids="InstanceIds",
    modify="modify_instance_attribute",
    delete="terminate_instances",
    delete_parameter="InstanceIds",
    tagged_as="instance",
    state=("State", "Name"),
    healthy=frozenset({"running"}),
    gone=frozenset({"shutting-down", "terminated"}),
    reason=("StateReason", "Message"),
    ready="instance_running",
    removed="instance_terminated",
    gifts=(
        Gift(parameter="KeyName", node_type=KEYPAIR.node_type),
        Gift(parameter="SubnetId", node_type=SUBNET.node_type, unless=("NetworkInterfaces",)),
        Gift(parameter="SecurityGroupIds", node_type=SECURITY_GROUP.node_type, unless=("NetworkInterfaces",)),
    ),
    defaults={"MinCount": 1, "MaxCount": 1},
    complete=completion.instances,
)

NAT_GATEWAY: Final = Resource(
    node_type=f"{EC2_NODES}NATGateway",
    label="NAT gateway",
    create="create_nat_gateway",
    made=("NatGateway",),
    describe="describe_nat_gateways",
    listed=("NatGateways",),
    id_field="NatGatewayId",
    ids="NatGatewayIds",
    delete="delete_nat_gateway",
    tagged_as="natgateway",
    state=("State",),
    healthy=frozenset({"available"}),
    gone=frozenset({"failed", "deleting", "deleted"}),
    reason=("FailureMessage",),
    ready="nat_gateway_available",
    removed="nat_gateway_deleted",
    gifts=(Gift(parameter="SubnetId", node_type=SUBNET.node_type),),
    complete=completion.nat_gateway,
)

RESOURCES: Final = {
    row.node_type: row
    for row in (
        VPC,
        SUBNET,
        INTERNET_GATEWAY,
        ROUTE_TABLE,
        SECURITY_GROUP,
        INTERFACE,
        ELASTIC_IP,
        KEYPAIR,
        INSTANCES,
        NAT_GATEWAY,
    )
}


def resource_of(node: NodeView) -> Resource:
    """Return the row of a node by its type or the nearest ancestor that has one.

    Raises:
        NonRecoverableError: none has.
    """
    for name in (node.type, *reversed(node.type_hierarchy)):
        if name in RESOURCES:
            return RESOURCES[name]
    known = ", ".join(sorted(RESOURCES))
    raise NonRecoverableError(f"an AWS operation is mapped on {node.name}, whose type {node.type} is none of {known}")
