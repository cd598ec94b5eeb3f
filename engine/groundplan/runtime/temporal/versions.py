"""Makes a build of the workers the current one of Temporal's worker versioning: workflow tasks go to it from then on.

The first build ever becomes current by itself, so that a first start needs no further step; later ones when asked to.
An execution goes over to the current build with its next step: its workflow is a thin shell, and the histories of
earlier builds are replayed by tests.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

DEPLOYMENT_NAME: Final = "groundplan"
_PAUSE: Final = timedelta(seconds=0.5)
_TRIES: Final = 120
_NOT_YET: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.UNAVAILABLE})
"""The service learns of a build from its first polls."""
_logger = logging.getLogger(__name__)


def versioned(build: str) -> WorkerDeploymentConfig | None:
    """Return what makes a worker one of a build; None for no build."""
    if not build:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT_NAME, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def make_current(client: Client, build: str, *, although_another_is: bool) -> None:
    """Make a build current once the service knows it: if none is, or `although_another_is`."""
    for _ in range(_TRIES):
        try:
            if not although_another_is and await _current(client):
                return
            await client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=client.namespace,
                    deployment_name=DEPLOYMENT_NAME,
                    build_id=build,
                    identity=client.identity,
                    # Sites are brought to a new build one by one.
                    ignore_missing_task_queues=True,
                )
            )
            return
        except RPCError as error:
            if error.status not in _NOT_YET:
                raise
        await asyncio.sleep(_PAUSE.total_seconds())
    _logger.error("Build %s could not be made the current one: the service does not know it yet", build)


async def _current(client: Client) -> str:
    """Return the build that is current, or an empty string."""
    answer = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT_NAME)
    )
    return answer.worker_deployment_info.routing_config.current_deployment_version.build_id
