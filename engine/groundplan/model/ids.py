"""Names of things, so that a blueprint's name cannot be passed where a deployment's is due."""

from typing import NewType

BlueprintId = NewType("BlueprintId", str)
DeploymentId = NewType("DeploymentId", str)
NodeId = NewType("NodeId", str)
InstanceId = NewType("InstanceId", str)
ExecutionId = NewType("ExecutionId", str)
GroupId = NewType("GroupId", str)
"""A group of deployments."""
ExecutionGroupId = NewType("ExecutionGroupId", str)
Digest = NewType("Digest", str)
"""SHA-256 of an uploaded blueprint's content, in hexadecimal digits."""
