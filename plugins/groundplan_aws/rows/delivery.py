"""Rows of what makes other resources: stacks of CloudFormation and pipelines of CodePipeline."""

from typing import Any, Final

from groundplan_aws.resource import LIFECYCLE, NODES, Related, Resource, Step, TagCall
from groundplan_aws.rows.iam import ROLE

STACK: Final = Resource(
    node_type=f"{NODES}CloudFormation.Stack",
    label="CloudFormation stack",
    service="cloudformation",
    create="create_stack",
    describe="describe_stacks",
    listed=("Stacks",),
    id_field="StackName",
    ids="StackName",
    name=("StackName",),
    arn=("StackId",),
    modify="update_stack",
    delete="delete_stack",
    state=("StackStatus",),
    healthy=frozenset(
        {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"}
    ),
    gone=frozenset({"DELETE_COMPLETE"}),
    reason=("StackStatusReason",),
    ready="stack_create_complete",
    removed="stack_delete_complete",
    path="cloudformation.resources.stack",
    steps=(
        *LIFECYCLE,
        Step(operation="start", path="start", function="lifecycle:pull"),
        Step(operation="pull", path="pull", function="lifecycle:pull"),
    ),
)


def _pipeline(parameters: dict[str, Any], related: Related) -> None:
    """A pipeline acts in the related role."""
    roles = related.values(ROLE.node_type, "aws_resource_arn")
    if roles:
        parameters["pipeline"] = {"roleArn": roles[0], **(parameters.get("pipeline") or {})}


PIPELINE: Final = Resource(
    node_type=f"{NODES}codepipeline.Pipeline",
    label="pipeline",
    service="codepipeline",
    create="create_pipeline",
    describe="get_pipeline",
    id_field="name",
    ids="name",
    name=("pipeline", "name"),
    arn=("metadata", "pipelineArn"),
    complete=_pipeline,
    modify="update_pipeline",
    delete="delete_pipeline",
    tag_reading=TagCall(
        method="list_tags_for_resource", parameter="resourceArn", told=("metadata", "pipelineArn"), at=("tags",)
    ),
    path="codepipeline.resources.pipeline",
    steps=(
        *LIFECYCLE,
        Step(
            operation="start_pipeline_execution",
            path="execute",
            function="pipelines:execute",
            interface="aws.codepipeline.pipeline",
        ),
    ),
)

ROWS: Final = (STACK, PIPELINE)
