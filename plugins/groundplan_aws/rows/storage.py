"""Rows of what keeps data: RDS, S3, DynamoDB, EFS, and the keys of KMS that they are encrypted with."""

from typing import Any, Final

from groundplan_aws import completion
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

_RDS: Final = f"{NODES}rds."
_OF_RDS: Final = "list_tags_for_resource"

SUBNET_GROUP: Final = Resource(
    node_type=f"{_RDS}SubnetGroup",
    label="RDS subnet group",
    service="rds",
    create="create_db_subnet_group",
    made=("DBSubnetGroup",),
    describe="describe_db_subnet_groups",
    listed=("DBSubnetGroups",),
    id_field="DBSubnetGroupName",
    ids="DBSubnetGroupName",
    name=("DBSubnetGroupName",),
    arn=("DBSubnetGroupArn",),
    modify="modify_db_subnet_group",
    delete="delete_db_subnet_group",
    tag_reading=TagCall(method=_OF_RDS, parameter="ResourceName", told=("DBSubnetGroupArn",), at=("TagList",)),
    state=("SubnetGroupStatus",),
    gifts=(Gift(parameter="SubnetIds", node_type=f"{EC2_NODES}Subnet"),),
    path="rds.resources.subnet_group",
)

PARAMETER_GROUP: Final = Resource(
    node_type=f"{_RDS}ParameterGroup",
    label="RDS parameter group",
    service="rds",
    create="create_db_parameter_group",
    made=("DBParameterGroup",),
    describe="describe_db_parameter_groups",
    listed=("DBParameterGroups",),
    id_field="DBParameterGroupName",
    ids="DBParameterGroupName",
    name=("DBParameterGroupName",),
    arn=("DBParameterGroupArn",),
    modify="modify_db_parameter_group",
    delete="delete_db_parameter_group",
    tag_reading=TagCall(method=_OF_RDS, parameter="ResourceName", told=("DBParameterGroupArn",), at=("TagList",)),
    later=("Parameters",),
    path="rds.resources.parameter_group",
    steps=(CREATE, Step(operation="configure", path="configure", function="lifecycle:configure"), DELETE),
)

OPTION_GROUP: Final = Resource(
    node_type=f"{_RDS}OptionGroup",
    label="RDS option group",
    service="rds",
    create="create_option_group",
    made=("OptionGroup",),
    describe="describe_option_groups",
    listed=("OptionGroupsList",),
    id_field="OptionGroupName",
    ids="OptionGroupName",
    name=("OptionGroupName",),
    arn=("OptionGroupArn",),
    modify="modify_option_group",
    delete="delete_option_group",
    tag_reading=TagCall(method=_OF_RDS, parameter="ResourceName", told=("OptionGroupArn",), at=("TagList",)),
    path="rds.resources.option_group",
    steps=(CREATE, DELETE),
)

_RDS_STATES: Final = frozenset({"available", "backing-up", "storage-optimization", "configuring-enhanced-monitoring"})
_RDS_FAILURES: Final = frozenset(
    {"failed", "incompatible-parameters", "incompatible-network", "incompatible-restore", "restore-error"}
)
_RDS_GIFTS: Final = (
    Gift(parameter="DBSubnetGroupName", node_type=SUBNET_GROUP.node_type),
    Gift(parameter="DBParameterGroupName", node_type=PARAMETER_GROUP.node_type),
    Gift(parameter="OptionGroupName", node_type=OPTION_GROUP.node_type),
    Gift(parameter="VpcSecurityGroupIds", node_type=f"{EC2_NODES}SecurityGroup"),
)

DATABASE: Final = Resource(
    node_type=f"{_RDS}Instance",
    label="RDS instance",
    service="rds",
    create="create_db_instance",
    made=("DBInstance",),
    describe="describe_db_instances",
    listed=("DBInstances",),
    id_field="DBInstanceIdentifier",
    ids="DBInstanceIdentifier",
    name=("DBInstanceIdentifier",),
    arn=("DBInstanceArn",),
    modify="modify_db_instance",
    delete="delete_db_instance",
    state=("DBInstanceStatus",),
    healthy=_RDS_STATES,
    gone=frozenset({"deleting"}),
    failed=_RDS_FAILURES,
    ready="db_instance_available",
    removed="db_instance_deleted",
    gifts=_RDS_GIFTS,
    path="rds.resources.instance",
    steps=(*LIFECYCLE, Step(operation="start", path="start", function="lifecycle:pull")),
)

READ_REPLICA: Final = Resource(
    node_type=f"{_RDS}InstanceReadReplica",
    label="RDS read replica",
    service="rds",
    create="create_db_instance_read_replica",
    made=("DBInstance",),
    describe="describe_db_instances",
    listed=("DBInstances",),
    id_field="DBInstanceIdentifier",
    ids="DBInstanceIdentifier",
    name=("DBInstanceIdentifier",),
    arn=("DBInstanceArn",),
    modify="modify_db_instance",
    delete="delete_db_instance",
    delete_with={"SkipFinalSnapshot": True},
    state=("DBInstanceStatus",),
    healthy=_RDS_STATES,
    gone=frozenset({"deleting"}),
    failed=_RDS_FAILURES,
    ready="db_instance_available",
    removed="db_instance_deleted",
    gifts=(Gift(parameter="SourceDBInstanceIdentifier", node_type=DATABASE.node_type),),
    path="rds.resources.instance_read_replica",
)

BUCKET: Final = Resource(
    node_type=f"{NODES}s3.BaseBucket",
    label="S3 bucket",
    service="s3",
    create="create_bucket",
    describe="head_bucket",
    id_field="Bucket",
    ids="Bucket",
    name=("Bucket",),
    puts=True,
    delete="delete_bucket",
    tag_reading=TagCall(method="get_bucket_tagging", parameter="Bucket", told=("Bucket",), at=("TagSet",)),
    tag_writing=TagCall(method="put_bucket_tagging", parameter="Bucket", told=("Bucket",), at=("Tagging", "TagSet")),
    ready="bucket_exists",
    removed="bucket_not_exists",
    path="s3.resources.bucket",
    config="cloudify.datatypes.aws.s3.Bucket.config",
    fields=("Bucket", "ACL", "CreateBucketConfiguration"),
    complete=completion.bucket,
    steps=(PREPARE, CREATE, Step(operation="delete", path="delete", function="buckets:delete")),
    properties=(
        Property(
            name="delete_objects",
            type="boolean",
            default=False,
            description="Delete what the bucket holds with it, in every version; without it only an empty bucket goes.",
        ),
    ),
)

_OF_BUCKET: Final = Gift(parameter="Bucket", node_type=BUCKET.node_type)

OBJECT: Final = Resource(
    node_type=f"{NODES}s3.BaseBucketObject",
    label="S3 object",
    service="s3",
    create="put_object",
    describe="head_object",
    id_field="Key",
    ids="Key",
    name=("Key",),
    scope=("Bucket",),
    puts=True,
    delete="delete_object",
    ready="object_exists",
    gifts=(_OF_BUCKET,),
    path="s3.resources.bucket_object",
    config="cloudify.datatypes.aws.s3.BucketObject.config",
    fields=("Bucket", "Key", "ACL"),
    steps=(PREPARE, Step(operation="create", path="create", function="objects:create"), DELETE),
    properties=(
        Property(
            name="source_type",
            type="string",
            default="local",
            description="local, a file of the blueprint; or bytes, the Body of resource_config.",
        ),
        Property(name="path", type="string", default="", description="The file, for source_type local."),
    ),
)

BUCKET_POLICY: Final = Resource(
    node_type=f"{NODES}s3.BucketPolicy",
    label="bucket policy",
    service="s3",
    create="put_bucket_policy",
    describe="get_bucket_policy",
    id_field="Bucket",
    ids="Bucket",
    name=("Bucket",),
    puts=True,
    delete="delete_bucket_policy",
    gifts=(_OF_BUCKET,),
    path="s3.resources.bucket_policy",
    fields=("Bucket", "ConfirmRemoveSelfBucketAccess", "Policy"),
)

_OF_RULES: Final = ("Transition", "NoncurrentVersionTransition")
"""Fields of a rule that the deprecated call had one of, and today's has a list of."""


def _bucket_lifecycle(parameters: dict[str, Any], related: Related) -> None:
    """Rules may be written for the deprecated call."""
    config = parameters.get("LifecycleConfiguration")
    if isinstance(config, dict) and isinstance(config.get("Rules"), list):
        parameters["LifecycleConfiguration"] = {**config, "Rules": [_rule(rule) for rule in config["Rules"]]}


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    return {
        (f"{name}s" if name in _OF_RULES else name): ([value] if name in _OF_RULES else value)
        for name, value in rule.items()
    }


BUCKET_LIFECYCLE: Final = Resource(
    node_type=f"{NODES}s3.BucketLifecycleConfiguration",
    label="bucket lifecycle configuration",
    service="s3",
    create="put_bucket_lifecycle_configuration",
    describe="get_bucket_lifecycle_configuration",
    id_field="Bucket",
    ids="Bucket",
    name=("Bucket",),
    puts=True,
    delete="delete_bucket_lifecycle",
    gifts=(_OF_BUCKET,),
    complete=_bucket_lifecycle,
    path="s3.resources.lifecycle_configuration",
    fields=("Bucket", "LifecycleConfiguration"),
)

TABLE: Final = Resource(
    node_type=f"{NODES}dynamodb.Table",
    label="DynamoDB table",
    service="dynamodb",
    create="create_table",
    made=("TableDescription",),
    describe="describe_table",
    listed=("Table",),
    id_field="TableName",
    ids="TableName",
    name=("TableName",),
    arn=("TableArn",),
    modify="update_table",
    delete="delete_table",
    tag_reading=TagCall(method="list_tags_of_resource", parameter="ResourceArn", told=("TableArn",)),
    state=("TableStatus",),
    healthy=frozenset({"ACTIVE", "UPDATING"}),
    gone=frozenset({"DELETING"}),
    ready="table_exists",
    removed="table_not_exists",
    path="dynamodb.resources.table",
    fields=(
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "LocalSecondaryIndexes",
        "GlobalSecondaryIndexes",
        "BillingMode",
        "ProvisionedThroughput",
        "StreamSpecification",
        "SSESpecification",
    ),
    steps=(CREATE, DELETE),
)

FILE_SYSTEM: Final = Resource(
    node_type=f"{NODES}efs.FileSystem",
    label="EFS file system",
    service="efs",
    create="create_file_system",
    describe="describe_file_systems",
    listed=("FileSystems",),
    id_field="FileSystemId",
    ids="FileSystemId",
    arn=("FileSystemArn",),
    modify="update_file_system",
    delete="delete_file_system",
    state=("LifeCycleState",),
    healthy=frozenset({"available", "updating"}),
    gone=frozenset({"deleted"}),
    failed=frozenset({"error"}),
    removed=POLLED,
    path="efs.resources.file_system",
)

MOUNT_TARGET: Final = Resource(
    node_type=f"{NODES}efs.MountTarget",
    label="EFS mount target",
    service="efs",
    create="create_mount_target",
    describe="describe_mount_targets",
    listed=("MountTargets",),
    id_field="MountTargetId",
    ids="MountTargetId",
    within=("FileSystemId",),
    same=("SubnetId",),
    delete="delete_mount_target",
    state=("LifeCycleState",),
    healthy=frozenset({"available", "updating"}),
    gone=frozenset({"deleted"}),
    failed=frozenset({"error"}),
    removed=POLLED,
    gifts=(
        Gift(parameter="FileSystemId", node_type=FILE_SYSTEM.node_type),
        Gift(parameter="SubnetId", node_type=f"{EC2_NODES}Subnet"),
        Gift(parameter="SecurityGroups", node_type=f"{EC2_NODES}SecurityGroup"),
    ),
    path="efs.resources.mount_target",
)

KEY: Final = Resource(
    node_type=f"{NODES}kms.CustomerMasterKey",
    label="KMS key",
    service="kms",
    create="create_key",
    made=("KeyMetadata",),
    describe="describe_key",
    listed=("KeyMetadata",),
    id_field="KeyId",
    ids="KeyId",
    arn=("Arn",),
    listing="list_keys",
    listing_at=("Keys",),
    delete="schedule_key_deletion",
    tag_reading=TagCall(method="list_resource_tags", parameter="KeyId", told=("KeyId",)),
    state=("KeyState",),
    healthy=frozenset({"Enabled", "Disabled"}),
    gone=frozenset({"PendingDeletion", "PendingReplicaDeletion"}),
    path="kms.resources.key",
    steps=(
        *LIFECYCLE,
        Step(operation="start", path="enable", function="encryption:enable"),
        Step(operation="stop", path="disable", function="encryption:disable"),
    ),
)

ALIAS: Final = Resource(
    node_type=f"{NODES}kms.Alias",
    label="KMS alias",
    service="kms",
    create="create_alias",
    describe="list_aliases",
    listed=("Aliases",),
    id_field="AliasName",
    ids="",
    name=("AliasName",),
    arn=("AliasArn",),
    delete="delete_alias",
    gifts=(Gift(parameter="TargetKeyId", node_type=KEY.node_type),),
    path="kms.resources.alias",
)

GRANT: Final = Resource(
    node_type=f"{NODES}kms.Grant",
    label="KMS grant",
    service="kms",
    create="create_grant",
    describe="list_grants",
    listed=("Grants",),
    id_field="GrantId",
    ids="",
    name=("Name",),
    scope=("KeyId",),
    puts=True,
    delete="revoke_grant",
    gifts=(Gift(parameter="KeyId", node_type=KEY.node_type),),
    path="kms.resources.grant",
)

ROWS: Final = (
    SUBNET_GROUP,
    PARAMETER_GROUP,
    OPTION_GROUP,
    DATABASE,
    READ_REPLICA,
    BUCKET,
    OBJECT,
    BUCKET_POLICY,
    BUCKET_LIFECYCLE,
    TABLE,
    FILE_SYSTEM,
    MOUNT_TARGET,
    KEY,
    ALIAS,
    GRANT,
)
