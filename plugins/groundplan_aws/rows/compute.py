"""Rows of what runs programs: EKS, ECS with ECR, Lambda and Auto Scaling."""

from typing import Any, Final

from groundplan_aws.resource import (
    CREATE,
    DELETE,
    EC2_NODES,
    LIFECYCLE,
    NODES,
    POLLED,
    PREPARE,
    Gift,
    Property,
    Related,
    Resource,
    Step,
    TagCall,
)
from groundplan_aws.rows.iam import ROLE

_ARN: Final = "aws_resource_arn"
_DRIFT: Final = Step(operation="check_drift", path="check_drift", function="lifecycle:check_drift")
_POSTSTART: Final = Step(operation="poststart", path="poststart", function="lifecycle:pull")

EKS_CLUSTER: Final = Resource(
    node_type=f"{NODES}eks.Cluster",
    label="EKS cluster",
    service="eks",
    create="create_cluster",
    made=("cluster",),
    describe="describe_cluster",
    listed=("cluster",),
    id_field="name",
    ids="name",
    name=("name",),
    arn=("arn",),
    modify="update_cluster_config",
    delete="delete_cluster",
    state=("status",),
    healthy=frozenset({"ACTIVE", "UPDATING"}),
    gone=frozenset({"DELETING"}),
    failed=frozenset({"FAILED"}),
    reason=("health", "issues", "message"),
    ready="cluster_active",
    removed="cluster_deleted",
    gifts=(Gift(parameter="roleArn", node_type=ROLE.node_type, recorded=_ARN),),
    path="eks.resources.cluster",
    config="cloudify.datatypes.aws.EKS.Cluster.config",
    steps=(*LIFECYCLE, _POSTSTART, _DRIFT),
    properties=(
        Property(
            name="store_kube_config_in_runtime",
            type="boolean",
            default=True,
            description="Keep a kubeconfig with a token in runtime property kubeconf.",
        ),
    ),
)

EKS_NODE_GROUP: Final = Resource(
    node_type=f"{NODES}eks.NodeGroup",
    label="EKS node group",
    service="eks",
    create="create_nodegroup",
    made=("nodegroup",),
    describe="describe_nodegroup",
    listed=("nodegroup",),
    id_field="nodegroupName",
    ids="nodegroupName",
    name=("nodegroupName",),
    scope=("clusterName",),
    arn=("nodegroupArn",),
    modify="update_nodegroup_config",
    delete="delete_nodegroup",
    state=("status",),
    healthy=frozenset({"ACTIVE", "UPDATING"}),
    gone=frozenset({"DELETING"}),
    failed=frozenset({"CREATE_FAILED", "DEGRADED"}),
    reason=("health", "issues", "message"),
    ready="nodegroup_active",
    removed="nodegroup_deleted",
    gifts=(
        Gift(parameter="clusterName", node_type=EKS_CLUSTER.node_type),
        Gift(parameter="nodeRole", node_type=ROLE.node_type, recorded=_ARN),
        Gift(parameter="subnets", node_type=f"{EC2_NODES}Subnet"),
    ),
    path="eks.resources.node_group",
    config="cloudify.datatypes.aws.EKS.NodeGroup.config",
    steps=(*LIFECYCLE, Step(operation="start", path="start", function="lifecycle:pull"), _POSTSTART, _DRIFT),
)

ECS_CLUSTER: Final = Resource(
    node_type=f"{NODES}ecs.Cluster",
    label="ECS cluster",
    service="ecs",
    create="create_cluster",
    made=("cluster",),
    describe="describe_clusters",
    describe_with={"include": ["TAGS"]},
    listed=("clusters",),
    id_field="clusterName",
    ids="clusters",
    name=("clusterName",),
    arn=("clusterArn",),
    puts=True,
    modify="update_cluster",
    delete="delete_cluster",
    delete_parameter="cluster",
    state=("status",),
    healthy=frozenset({"ACTIVE"}),
    gone=frozenset({"INACTIVE", "DEPROVISIONING"}),
    failed=frozenset({"FAILED"}),
    path="ecs.resources.cluster",
    config="cloudify.datatypes.aws.ECS.Cluster.config",
)

ECS_TASK_DEFINITION: Final = Resource(
    node_type=f"{NODES}ecs.TaskDefinition",
    label="ECS task definition",
    service="ecs",
    create="register_task_definition",
    made=("taskDefinition",),
    describe="describe_task_definition",
    listed=("taskDefinition",),
    id_field="taskDefinitionArn",
    ids="taskDefinition",
    name=("family",),
    names="taskDefinition",
    arn=("taskDefinitionArn",),
    delete="deregister_task_definition",
    delete_parameter="taskDefinition",
    tag_reading=TagCall(
        method="list_tags_for_resource", parameter="resourceArn", told=("taskDefinitionArn",), at=("tags",)
    ),
    state=("status",),
    healthy=frozenset({"ACTIVE"}),
    gone=frozenset({"INACTIVE", "DELETE_IN_PROGRESS"}),
    path="ecs.resources.task_definition",
    config="cloudify.datatypes.aws.ECS.TaskDefinition.config",
)

ECS_SERVICE: Final = Resource(
    node_type=f"{NODES}ecs.Service",
    label="ECS service",
    service="ecs",
    create="create_service",
    made=("service",),
    describe="describe_services",
    describe_with={"include": ["TAGS"]},
    listed=("services",),
    id_field="serviceName",
    ids="services",
    name=("serviceName",),
    scope=("cluster",),
    arn=("serviceArn",),
    modify="update_service",
    delete="delete_service",
    delete_parameter="service",
    delete_with={"force": True},
    state=("status",),
    healthy=frozenset({"ACTIVE"}),
    gone=frozenset({"INACTIVE", "DRAINING"}),
    gifts=(
        Gift(parameter="cluster", node_type=ECS_CLUSTER.node_type),
        Gift(parameter="taskDefinition", node_type=ECS_TASK_DEFINITION.node_type),
    ),
    path="ecs.resources.service",
    config="cloudify.datatypes.aws.ECS.Service.config",
)

ECR_REPOSITORY: Final = Resource(
    node_type=f"{NODES}ecr.Repository",
    label="ECR repository",
    service="ecr",
    create="create_repository",
    made=("repository",),
    describe="describe_repositories",
    listed=("repositories",),
    id_field="repositoryName",
    ids="repositoryNames",
    name=("repositoryName",),
    arn=("repositoryArn",),
    delete="delete_repository",
    tag_reading=TagCall(
        method="list_tags_for_resource", parameter="resourceArn", told=("repositoryArn",), at=("tags",)
    ),
    path="ecr.resources.repository",
    fields=("repositoryName", "registryId", "tags", "imageTagMutability", "imageScanningConfiguration"),
)


def _function(parameters: dict[str, Any], related: Related) -> None:
    """A function with related subnets and security groups runs in their network."""
    subnets = related.values(f"{EC2_NODES}Subnet", "aws_resource_id")
    groups = related.values(f"{EC2_NODES}SecurityGroup", "aws_resource_id")
    if subnets and "VpcConfig" not in parameters:
        parameters["VpcConfig"] = {"SubnetIds": subnets, "SecurityGroupIds": groups}


FUNCTION: Final = Resource(
    node_type=f"{NODES}lambda.Function",
    label="Lambda function",
    service="lambda",
    create="create_function",
    describe="get_function",
    listed=("Configuration",),
    id_field="FunctionName",
    ids="FunctionName",
    name=("FunctionName",),
    arn=("FunctionArn",),
    modify="update_function_configuration",
    delete="delete_function",
    tag_reading=TagCall(method="list_tags", parameter="Resource", told=("FunctionArn",)),
    state=("State",),
    healthy=frozenset({"Active", "Inactive"}),
    failed=frozenset({"Failed"}),
    reason=("StateReason",),
    gifts=(Gift(parameter="Role", node_type=ROLE.node_type, recorded=_ARN),),
    complete=_function,
    path="lambda_serverless.resources.function",
    fields=("FunctionName", "Runtime", "Handler", "Code"),
    steps=(Step(operation="create", path="create", function="objects:create_function"), DELETE),
)

LAUNCH_CONFIGURATION: Final = Resource(
    node_type=f"{NODES}autoscaling.LaunchConfiguration",
    label="launch configuration",
    service="autoscaling",
    create="create_launch_configuration",
    describe="describe_launch_configurations",
    listed=("LaunchConfigurations",),
    id_field="LaunchConfigurationName",
    ids="LaunchConfigurationNames",
    name=("LaunchConfigurationName",),
    arn=("LaunchConfigurationARN",),
    delete="delete_launch_configuration",
    gifts=(
        Gift(parameter="KeyName", node_type=f"{EC2_NODES}Keypair"),
        Gift(parameter="SecurityGroups", node_type=f"{EC2_NODES}SecurityGroup"),
    ),
    path="autoscaling.resources.launch_configuration",
    fields=("LaunchConfigurationName", "ImageId", "InstanceType", "InstanceId", "KeyName"),
)


def _scaling_group(parameters: dict[str, Any], related: Related) -> None:
    """Related subnets say where the group's instances run; AWS wants several in one text."""
    subnets = related.values(f"{EC2_NODES}Subnet", "aws_resource_id")
    if subnets and "AvailabilityZones" not in parameters:
        parameters.setdefault("VPCZoneIdentifier", subnets)
    if isinstance(parameters.get("VPCZoneIdentifier"), list):
        parameters["VPCZoneIdentifier"] = ",".join(parameters["VPCZoneIdentifier"])


SCALING_GROUP: Final = Resource(
    node_type=f"{NODES}autoscaling.Group",
    label="auto scaling group",
    service="autoscaling",
    create="create_auto_scaling_group",
    describe="describe_auto_scaling_groups",
    listed=("AutoScalingGroups",),
    id_field="AutoScalingGroupName",
    ids="AutoScalingGroupNames",
    name=("AutoScalingGroupName",),
    arn=("AutoScalingGroupARN",),
    modify="update_auto_scaling_group",
    delete="delete_auto_scaling_group",
    delete_with={"ForceDelete": True},
    removed=POLLED,
    gifts=(
        Gift(
            parameter="LaunchConfigurationName",
            node_type=LAUNCH_CONFIGURATION.node_type,
            unless=("LaunchTemplate", "MixedInstancesPolicy", "InstanceId"),
        ),
        Gift(
            parameter="TargetGroupARNs", node_type=f"{NODES}elb.TargetGroup", recorded=_ARN, unless=("TrafficSources",)
        ),
    ),
    complete=_scaling_group,
    path="autoscaling.resources.autoscaling_group",
    fields=("AutoScalingGroupName", "LaunchConfigurationName", "LaunchTemplate", "InstanceId", "MinSize", "MaxSize"),
    steps=(PREPARE, CREATE, Step(operation="stop", path="stop", function="scaling:stop"), DELETE),
)

_GROUP: Final = Gift(parameter="AutoScalingGroupName", node_type=SCALING_GROUP.node_type)

SCALING_POLICY: Final = Resource(
    node_type=f"{NODES}autoscaling.Policy",
    label="scaling policy",
    service="autoscaling",
    create="put_scaling_policy",
    describe="describe_policies",
    listed=("ScalingPolicies",),
    id_field="PolicyName",
    ids="PolicyNames",
    name=("PolicyName",),
    scope=("AutoScalingGroupName",),
    arn=("PolicyARN",),
    puts=True,
    delete="delete_policy",
    gifts=(_GROUP,),
    path="autoscaling.resources.policy",
    fields=("AutoScalingGroupName", "PolicyName", "PolicyType", "AdjustmentType", "ScalingAdjustment"),
)

LIFECYCLE_HOOK: Final = Resource(
    node_type=f"{NODES}autoscaling.LifecycleHook",
    label="lifecycle hook",
    service="autoscaling",
    create="put_lifecycle_hook",
    describe="describe_lifecycle_hooks",
    listed=("LifecycleHooks",),
    id_field="LifecycleHookName",
    ids="LifecycleHookNames",
    name=("LifecycleHookName",),
    scope=("AutoScalingGroupName",),
    puts=True,
    delete="delete_lifecycle_hook",
    gifts=(_GROUP,),
    path="autoscaling.resources.lifecycle_hook",
    fields=("LifecycleHookName", "AutoScalingGroupName", "LifecycleTransition"),
)

ROWS: Final = (
    EKS_CLUSTER,
    EKS_NODE_GROUP,
    ECS_CLUSTER,
    ECS_TASK_DEFINITION,
    ECS_SERVICE,
    ECR_REPOSITORY,
    FUNCTION,
    LAUNCH_CONFIGURATION,
    SCALING_GROUP,
    SCALING_POLICY,
    LIFECYCLE_HOOK,
)
