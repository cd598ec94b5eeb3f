"""Rows of IAM: roles, policies, users, groups and instance profiles.

Access keys and login profiles exist on a user only: `keys` makes them when their relationship is established.
"""

from typing import Final

from groundplan_aws.resource import DELETE, NODES, Clearing, Gift, Property, Resource, Step

_PATH: Final = "iam.resources."

ROLE: Final = Resource(
    node_type=f"{NODES}iam.Role",
    label="IAM role",
    service="iam",
    create="create_role",
    made=("Role",),
    describe="get_role",
    listed=("Role",),
    id_field="RoleName",
    ids="RoleName",
    name=("RoleName",),
    arn=("Arn",),
    modify="update_role",
    delete="delete_role",
    clears=(
        Clearing(
            listing="list_attached_role_policies",
            at=("AttachedPolicies", "PolicyArn"),
            call="detach_role_policy",
            parameter="PolicyArn",
        ),
        Clearing(listing="list_role_policies", at=("PolicyNames",), call="delete_role_policy", parameter="PolicyName"),
        Clearing(
            listing="list_instance_profiles_for_role",
            at=("InstanceProfiles", "InstanceProfileName"),
            call="remove_role_from_instance_profile",
            parameter="InstanceProfileName",
        ),
    ),
    ready="role_exists",
    path=f"{_PATH}role",
    fields=("AssumeRolePolicyDocument", "RoleName", "Path"),
    steps=(
        Step(operation="precreate", path="precreate", function="lifecycle:prepare"),
        Step(operation="create", path="create", function="roles:create"),
        DELETE,
    ),
    properties=(
        Property(
            name="policy_arns",
            type="list",
            default=[],
            description="Managed policies to attach, each as {PolicyArn: arn:aws:iam::...}.",
        ),
    ),
)

POLICY: Final = Resource(
    node_type=f"{NODES}iam.Policy",
    label="IAM policy",
    service="iam",
    create="create_policy",
    made=("Policy",),
    describe="get_policy",
    listed=("Policy",),
    id_field="Arn",
    ids="PolicyArn",
    shown_id="PolicyName",
    name=("PolicyName",),
    listing="list_policies",
    listing_at=("Policies",),
    listing_with={"Scope": "Local"},
    delete="delete_policy",
    delete_parameter="PolicyArn",
    ready="policy_exists",
    path=f"{_PATH}policy",
    fields=("PolicyName", "Path", "PolicyDocument", "Description"),
)

INSTANCE_PROFILE: Final = Resource(
    node_type=f"{NODES}iam.InstanceProfile",
    label="instance profile",
    service="iam",
    create="create_instance_profile",
    made=("InstanceProfile",),
    describe="get_instance_profile",
    listed=("InstanceProfile",),
    id_field="InstanceProfileName",
    ids="InstanceProfileName",
    name=("InstanceProfileName",),
    arn=("Arn",),
    delete="delete_instance_profile",
    clears=(
        Clearing(
            listing="get_instance_profile",
            at=("InstanceProfile", "Roles", "RoleName"),
            call="remove_role_from_instance_profile",
            parameter="RoleName",
        ),
    ),
    ready="instance_profile_exists",
    later=("RoleName",),
    path=f"{_PATH}instance_profile",
    fields=("InstanceProfileName", "Path"),
    steps=(Step(operation="create", path="create", function="roles:create_profile"), DELETE),
)

USER: Final = Resource(
    node_type=f"{NODES}iam.User",
    label="IAM user",
    service="iam",
    create="create_user",
    made=("User",),
    describe="get_user",
    listed=("User",),
    id_field="UserName",
    ids="UserName",
    name=("UserName",),
    arn=("Arn",),
    delete="delete_user",
    clears=(
        Clearing(
            listing="list_access_keys",
            at=("AccessKeyMetadata", "AccessKeyId"),
            call="delete_access_key",
            parameter="AccessKeyId",
        ),
        Clearing(
            listing="list_groups_for_user",
            at=("Groups", "GroupName"),
            call="remove_user_from_group",
            parameter="GroupName",
        ),
        Clearing(
            listing="list_attached_user_policies",
            at=("AttachedPolicies", "PolicyArn"),
            call="detach_user_policy",
            parameter="PolicyArn",
        ),
        Clearing(listing="list_user_policies", at=("PolicyNames",), call="delete_user_policy", parameter="PolicyName"),
    ),
    ready="user_exists",
    path=f"{_PATH}user",
    fields=("UserName", "Path", "PermissionsBoundary", "Tags"),
)

GROUP: Final = Resource(
    node_type=f"{NODES}iam.Group",
    label="IAM group",
    service="iam",
    create="create_group",
    made=("Group",),
    describe="get_group",
    listed=("Group",),
    id_field="GroupName",
    ids="GroupName",
    name=("GroupName",),
    arn=("Arn",),
    delete="delete_group",
    clears=(
        Clearing(listing="get_group", at=("Users", "UserName"), call="remove_user_from_group", parameter="UserName"),
        Clearing(
            listing="list_attached_group_policies",
            at=("AttachedPolicies", "PolicyArn"),
            call="detach_group_policy",
            parameter="PolicyArn",
        ),
        Clearing(
            listing="list_group_policies", at=("PolicyNames",), call="delete_group_policy", parameter="PolicyName"
        ),
    ),
    path=f"{_PATH}group",
    fields=("Path", "GroupName"),
)

ROLE_POLICY: Final = Resource(
    node_type=f"{NODES}iam.RolePolicy",
    label="inline policy",
    service="iam",
    create="put_role_policy",
    describe="get_role_policy",
    id_field="PolicyName",
    ids="PolicyName",
    name=("PolicyName",),
    scope=("RoleName",),
    puts=True,
    delete="delete_role_policy",
    gifts=(Gift(parameter="RoleName", node_type=ROLE.node_type),),
    path=f"{_PATH}role_policy",
    fields=("RoleName", "PolicyName", "PolicyDocument"),
)

ROWS: Final = (ROLE, POLICY, INSTANCE_PROFILE, USER, GROUP, ROLE_POLICY)
