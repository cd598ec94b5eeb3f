"""What each row of the table is tried with against moto, and why some rows are not: the reference page tells it too."""

from dataclasses import dataclass, field
from typing import Any

from groundplan_aws.part import Part
from groundplan_aws.resource import Resource
from groundplan_aws.rows import compute, delivery, ec2, iam, identity, parts, storage, traffic, watching

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        for service in ("ec2.amazonaws.com", "codepipeline.amazonaws.com")
    ],
}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
TEMPLATE = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-a-stack"}}},
    "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}},
}


STAGE: dict[str, Any] = {
    "actions": [
        {"name": "act", "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}}
    ]
}
SUBNETS = ["subnets of the account's own VPC"]
"""Stands for their ids in the configurations below."""
OWN_VPC = "the account's own VPC"
"""Stands for its id."""
ZIP = bytes([0x50, 0x4B, 5, 6, *[0] * 18])
"""An empty archive."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One row with what its create call needs.

    Attributes:
        needs: rows whose trials are created before and related.
        refused: whether moto refuses a name that is taken, as AWS does.
        forgets: moto does not keep the tags given at creation, so that a lost attempt's work cannot be found there.
    """

    row: Resource | Part
    config: dict[str, Any] = field(default_factory=dict)
    needs: tuple[Resource, ...] = ()
    properties: dict[str, Any] = field(default_factory=dict)
    refused: bool = True
    forgets: bool = False


CIDR = {"CidrBlock": "10.0.0.0/16"}
_TRIALS = (
    Trial(row=ec2.VPC, config=CIDR),
    Trial(row=ec2.SUBNET, config={"CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-west-1b"}, needs=(ec2.VPC,)),
    Trial(row=ec2.INTERNET_GATEWAY),
    Trial(row=ec2.ROUTE_TABLE, needs=(ec2.VPC,)),
    Trial(row=ec2.SECURITY_GROUP, config={"GroupName": "doors", "Description": "doors"}, needs=(ec2.VPC,)),
    Trial(row=ec2.INTERFACE, needs=(ec2.SUBNET,)),
    Trial(row=ec2.ELASTIC_IP),
    Trial(row=ec2.KEYPAIR, config={"KeyName": "key"}),
    Trial(row=ec2.INSTANCES, config={"ImageId": "ami-0cfea11000000000c", "InstanceType": "t2.micro"}),
    Trial(
        row=ec2.SPOT_INSTANCES,
        config={"LaunchSpecification": {"ImageId": "ami-0cfea11000000000c", "InstanceType": "t2.micro"}},
    ),
    Trial(
        row=ec2.SPOT_FLEET,
        config={
            "SpotFleetRequestConfig": {
                "IamFleetRole": "arn:aws:iam::123456789012:role/fleet",
                "LaunchSpecifications": [{"ImageId": "ami-0cfea11000000000c", "InstanceType": "t2.micro"}],
                "SpotPrice": "0.04",
                "TargetCapacity": 1,
            }
        },
    ),
    Trial(row=ec2.NAT_GATEWAY, config={"ConnectivityType": "private"}, needs=(ec2.SUBNET,)),
    Trial(row=ec2.VOLUME, config={"AvailabilityZone": "us-west-1b", "Size": 8}),
    Trial(row=ec2.IMAGE, config={"Name": "of-instance"}, needs=(ec2.INSTANCES,)),
    Trial(row=ec2.NETWORK_ACL, needs=(ec2.VPC,)),
    Trial(
        row=ec2.DHCP_OPTIONS,
        forgets=True,
        config={"DhcpConfigurations": [{"Key": "domain-name", "Values": ["example.com"]}]},
    ),
    Trial(row=ec2.VPN_GATEWAY, config={"Type": "ipsec.1"}),
    Trial(row=ec2.CUSTOMER_GATEWAY, config={"Type": "ipsec.1", "BgpAsn": 65000, "PublicIp": "192.0.2.1"}),
    Trial(row=ec2.VPN_CONNECTION, config={"Type": "ipsec.1"}, needs=(ec2.CUSTOMER_GATEWAY, ec2.VPN_GATEWAY)),
    Trial(row=ec2.TRANSIT_GATEWAY, config={"Description": "hub"}),
    Trial(row=iam.ROLE, config={"RoleName": "role", "Path": "/", "AssumeRolePolicyDocument": TRUST}),
    Trial(row=iam.POLICY, config={"PolicyName": "policy", "PolicyDocument": ALLOW}),
    Trial(row=iam.INSTANCE_PROFILE, config={"InstanceProfileName": "profile"}, needs=(iam.ROLE,)),
    Trial(row=iam.USER, config={"UserName": "user"}),
    Trial(row=iam.GROUP, config={"GroupName": "group"}),
    Trial(row=iam.ROLE_POLICY, config={"PolicyName": "inline", "PolicyDocument": ALLOW}, needs=(iam.ROLE,)),
    Trial(
        row=compute.EKS_CLUSTER,
        config={"name": "cluster", "version": "", "resourcesVpcConfig": {"subnetIds": SUBNETS}},
        needs=(iam.ROLE,),
        properties={"store_kube_config_in_runtime": True},
    ),
    Trial(
        row=compute.EKS_NODE_GROUP,
        config={"nodegroupName": "nodes", "subnets": SUBNETS},
        needs=(compute.EKS_CLUSTER, iam.ROLE),
    ),
    Trial(row=compute.ECS_CLUSTER, config={"clusterName": "containers"}),
    Trial(
        row=compute.ECS_TASK_DEFINITION,
        refused=False,
        config={"family": "task", "containerDefinitions": [{"name": "web", "image": "web:1", "memory": 64}]},
    ),
    Trial(
        row=compute.ECS_SERVICE,
        refused=False,
        config={"serviceName": "service", "desiredCount": 0},
        needs=(compute.ECS_CLUSTER, compute.ECS_TASK_DEFINITION),
    ),
    Trial(row=compute.ECR_REPOSITORY, config={"repositoryName": "images"}),
    Trial(
        row=compute.FUNCTION,
        config={"FunctionName": "f", "Runtime": "python3.12", "Handler": "f.f", "Code": {"ZipFile": ZIP}},
        needs=(iam.ROLE,),
    ),
    Trial(
        row=compute.LAUNCH_CONFIGURATION,
        refused=False,
        config={
            "LaunchConfigurationName": "launch",
            "ImageId": "ami-0cfea11000000000c",
            "InstanceType": "t2.micro",
        },
    ),
    Trial(
        row=compute.SCALING_GROUP,
        refused=False,
        config={"AutoScalingGroupName": "fleet", "MinSize": 0, "MaxSize": 0, "AvailabilityZones": ["us-west-1b"]},
        needs=(compute.LAUNCH_CONFIGURATION,),
    ),
    Trial(
        row=compute.SCALING_POLICY,
        config={"PolicyName": "out", "AdjustmentType": "ChangeInCapacity", "ScalingAdjustment": 1},
        needs=(compute.SCALING_GROUP,),
    ),
    Trial(
        row=compute.LIFECYCLE_HOOK,
        config={"LifecycleHookName": "hook", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"},
        needs=(compute.SCALING_GROUP,),
    ),
    Trial(
        row=storage.SUBNET_GROUP,
        config={
            "DBSubnetGroupName": "subnets",
            "DBSubnetGroupDescription": "of the database",
            "SubnetIds": SUBNETS,
        },
    ),
    Trial(
        row=storage.PARAMETER_GROUP,
        config={"DBParameterGroupName": "pg", "DBParameterGroupFamily": "postgres15", "Description": "pg"},
    ),
    Trial(
        row=storage.OPTION_GROUP,
        config={
            "OptionGroupName": "options",
            "EngineName": "mysql",
            "MajorEngineVersion": "8.0",
            "OptionGroupDescription": "options",
        },
    ),
    Trial(
        row=storage.DATABASE,
        config={
            "DBInstanceIdentifier": "db",
            "DBInstanceClass": "db.t3.micro",
            "Engine": "postgres",
            "AllocatedStorage": 5,
            "MasterUsername": "admin1",
            "MasterUserPassword": "password-of-test",
        },
        needs=(storage.SUBNET_GROUP,),
    ),
    Trial(
        row=storage.READ_REPLICA, refused=False, config={"DBInstanceIdentifier": "replica"}, needs=(storage.DATABASE,)
    ),
    Trial(
        row=storage.BUCKET,
        config={"Bucket": "bucket-of-test", "CreateBucketConfiguration": {"LocationConstraint": "us-west-1"}},
    ),
    Trial(
        row=storage.OBJECT,
        config={"Key": "hello", "Body": "hello"},
        needs=(storage.BUCKET,),
        properties={"source_type": "bytes"},
    ),
    Trial(row=storage.BUCKET_POLICY, config={"Policy": ALLOW}, needs=(storage.BUCKET,)),
    Trial(
        row=storage.BUCKET_LIFECYCLE,
        config={
            "LifecycleConfiguration": {
                "Rules": [{"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
            }
        },
        needs=(storage.BUCKET,),
    ),
    Trial(
        row=storage.TABLE,
        config={
            "TableName": "table",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        },
    ),
    Trial(row=storage.FILE_SYSTEM),
    Trial(row=storage.MOUNT_TARGET, needs=(storage.FILE_SYSTEM, ec2.SUBNET)),
    Trial(row=storage.KEY, config={"Description": "key"}),
    Trial(row=storage.ALIAS, config={"AliasName": "alias/key"}, needs=(storage.KEY,)),
    Trial(
        row=storage.GRANT,
        config={"Name": "grant", "GranteePrincipal": "arn:aws:iam::123456789012:role/r", "Operations": ["Encrypt"]},
        needs=(storage.KEY,),
    ),
    Trial(row=traffic.LOAD_BALANCER, config={"Name": "lb", "Scheme": "internal"}, needs=(ec2.SUBNET,)),
    Trial(row=traffic.TARGET_GROUP, config={"Name": "targets", "Protocol": "HTTP", "Port": 80}, needs=(ec2.VPC,)),
    Trial(
        row=traffic.LISTENER,
        config={"Protocol": "HTTP", "Port": 80},
        needs=(traffic.LOAD_BALANCER, traffic.TARGET_GROUP),
    ),
    Trial(
        row=traffic.RULE,
        config={
            "Priority": 1,
            "Conditions": [{"Field": "path-pattern", "Values": ["/x"]}],
            "Actions": [{"Type": "forward"}],
        },
        needs=(traffic.LISTENER, traffic.TARGET_GROUP),
    ),
    Trial(
        row=traffic.CLASSIC_LOAD_BALANCER,
        config={
            "LoadBalancerName": "classic",
            "AvailabilityZones": ["us-west-1b"],
            "Listeners": [{"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}],
        },
    ),
    Trial(row=traffic.HOSTED_ZONE, config={"Name": "example.com."}),
    Trial(row=traffic.TOPIC, config={"Name": "topic"}),
    Trial(row=traffic.QUEUE, config={"QueueName": "queue", "Attributes": {"DelaySeconds": "5"}}),
    Trial(row=traffic.SUBSCRIPTION, config={"Protocol": "sqs"}, needs=(traffic.TOPIC, traffic.QUEUE)),
    Trial(row=delivery.STACK, config={"StackName": "stack", "TemplateBody": TEMPLATE}),
    Trial(
        row=delivery.PIPELINE,
        config={
            "pipeline": {
                "name": "pipeline",
                "artifactStore": {"type": "S3", "location": "bucket"},
                "stages": [STAGE | {"name": "Source"}, STAGE | {"name": "Build"}],
                "version": 1,
            }
        },
        needs=(iam.ROLE,),
    ),
    Trial(row=ec2.TRANSIT_GATEWAY_ROUTE_TABLE, needs=(ec2.TRANSIT_GATEWAY,)),
    Trial(row=ec2.VPC_PEERING, config={"PeerVpcId": OWN_VPC}, needs=(ec2.VPC,)),
    Trial(
        row=traffic.CLASSIC_POLICY,
        config={"PolicyName": "proxy", "PolicyTypeName": "ProxyProtocolPolicyType"},
        needs=(traffic.CLASSIC_LOAD_BALANCER,),
    ),
    Trial(
        row=traffic.STICKINESS,
        config={"PolicyName": "sticky", "CookieExpirationPeriod": 60},
        needs=(traffic.CLASSIC_LOAD_BALANCER,),
    ),
    Trial(
        row=watching.ALARM,
        config={
            "AlarmName": "busy",
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "MetricName": "CPUUtilization",
            "Namespace": "AWS/EC2",
            "Period": 60,
            "Statistic": "Average",
            "Threshold": 80.0,
        },
    ),
    Trial(row=watching.EVENT_RULE, config={"Name": "hourly", "ScheduleExpression": "rate(1 hour)"}),
    Trial(row=identity.USER_POOL, config={"PoolName": "users"}),
    Trial(row=identity.USER_POOL_CLIENT, config={"ClientName": "web"}, needs=(identity.USER_POOL,)),
    Trial(
        row=identity.IDENTITY_PROVIDER,
        config={"ProviderName": "other", "ProviderType": "OIDC", "ProviderDetails": {"client_id": "c"}},
        needs=(identity.USER_POOL,),
    ),
    Trial(row=identity.IDENTITY_POOL, config={"IdentityPoolName": "guests", "AllowUnauthenticatedIdentities": True}),
)
_OUTSIDE = {"Name": "www.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
_PARTS = (
    Trial(row=parts.TAGS, config={"Tags": [{"Key": "team", "Value": "blue"}]}, needs=(ec2.VPC,)),
    Trial(
        row=parts.TRANSIT_GATEWAY_ROUTE,
        config={"DestinationCidrBlock": "10.9.0.0/16", "Blackhole": True},
        needs=(ec2.TRANSIT_GATEWAY, ec2.TRANSIT_GATEWAY_ROUTE_TABLE),
    ),
    Trial(row=parts.PEERING_ACCEPTED, needs=(ec2.VPC, ec2.VPC_PEERING)),
    Trial(row=parts.PEERING_REJECTED, needs=(ec2.VPC, ec2.VPC_PEERING)),
    Trial(
        row=parts.CLASSIC_LISTENER,
        config={"Listeners": [{"Protocol": "TCP", "LoadBalancerPort": 81, "InstancePort": 81}]},
        needs=(traffic.CLASSIC_LOAD_BALANCER,),
    ),
    Trial(
        row=parts.CLASSIC_HEALTH_CHECK,
        config={
            "HealthCheck": {
                "Target": "HTTP:80/",
                "Interval": 5,
                "Timeout": 3,
                "UnhealthyThreshold": 2,
                "HealthyThreshold": 2,
            }
        },
        needs=(traffic.CLASSIC_LOAD_BALANCER,),
    ),
    Trial(
        row=parts.PERMISSION,
        config={"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"},
        needs=(iam.ROLE, compute.FUNCTION),
    ),
    Trial(
        row=parts.RECORD_SET,
        config={"ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": _OUTSIDE}]}},
        needs=(traffic.HOSTED_ZONE,),
    ),
    Trial(
        row=parts.BUCKET_TAGGING,
        config={"Tagging": {"TagSet": [{"Key": "team", "Value": "blue"}]}},
        needs=(storage.BUCKET,),
    ),
    Trial(
        row=parts.FILE_SYSTEM_TAGS, config={"Tags": [{"Key": "team", "Value": "blue"}]}, needs=(storage.FILE_SYSTEM,)
    ),
    Trial(
        row=parts.EVENT_TARGET,
        config={"Targets": [{"Id": "queue", "Arn": "arn:aws:sqs:us-west-1:123456789012:queue"}]},
        needs=(watching.EVENT_RULE,),
    ),
    Trial(row=parts.EVENTS, config={"Entries": [{"Source": "groundplan", "DetailType": "try", "Detail": {"id": 1}}]}),
)
PART_TRIALS = {trial.row.node_type: trial for trial in _PARTS}
TRIALS = {trial.row.node_type: trial for trial in _TRIALS}
UNTRIED: dict[str, str] = {
    parts.VPN_CONNECTION_ROUTE.node_type: "moto has no CreateVpnConnectionRoute",
    parts.SCALING_NOTIFICATION.node_type: "moto has no PutNotificationConfiguration",
}
"""Rows that moto cannot do, with what it lacks."""
