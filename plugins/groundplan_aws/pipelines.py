"""Pipelines of CodePipeline, set going: what comes of an execution is CodePipeline's to tell."""

from typing import Any

from groundplan.model.values import Data
from groundplan_aws.resource import first
from groundplan_aws.tagging import token
from groundplan_aws.target import Target, merged, on_target, plain

_KEPT = "execute_pipeline_response"


@on_target
def execute(target: Target) -> Data:
    """Start an execution of the pipeline, once for all attempts, and record AWS's answer.

    The input `resource_config` may give what the call takes: `variables`, `sourceRevisions`.
    """
    earlier: Any = target.record.get(_KEPT)
    before = first(earlier, ("pipelineExecutionId",))
    given = {
        "clientRequestToken": token(target.ctx, [str(before or "")]),
        **merged(target.inputs.get("resource_config")),
    }
    answer = target.api.call("start_pipeline_execution", **{"name": target.id, **given})
    target.record[_KEPT] = plain(answer)
    return str(answer["pipelineExecutionId"])
