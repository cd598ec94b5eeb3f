"""Jobs: pods that are said to have succeeded, as many as the job needs. No program of theirs ran."""

from __future__ import annotations

from collections.abc import Iterable

from groundplan_sandbox.kubernetes.api import Api
from groundplan_sandbox.kubernetes.controllers.children import (
    CONTROLLER,
    claimed,
    count_ready,
    is_active,
    keys_of,
    make_pod,
    pod_from,
    write_status,
)
from groundplan_sandbox.kubernetes.controllers.events import Recorder
from groundplan_sandbox.kubernetes.controllers.queue import Key
from groundplan_sandbox.kubernetes.kinds import JOB, POD, Object
from groundplan_sandbox.kubernetes.metadata import age_in_seconds, condition_of, is_deleting, timestamp, with_condition
from groundplan_sandbox.kubernetes.store import Change, name_of, namespace_of


class JobController:
    def __init__(self, api: Api, recorder: Recorder) -> None:
        self._api = api
        self._recorder = recorder

    def affected(self, change: Change) -> Iterable[Key]:
        return keys_of(change, JOB, POD)

    def reconcile(self, key: Key) -> float | None:
        job = self._api.store.get(JOB, *key)
        if job is None or is_deleting(job):
            return None
        if condition_of(job, "Complete"):
            return self._expire(job)
        pods = claimed(self._api, JOB, job, POD)
        done = sum(pod["status"].get("phase") == "Succeeded" for pod in pods)
        active = [pod for pod in pods if is_active(pod)]
        if done < job["spec"]["completions"] and not job["spec"].get("suspend"):
            active += self._start(job, len(active), done)
        self._report(job, active, done)
        return None

    def _start(self, job: Object, active: int, done: int) -> list[Object]:
        room = min(job["spec"]["parallelism"], job["spec"]["completions"] - done) - active
        made = []
        for _ in range(room):
            pod = make_pod(self._api, job, pod_from(JOB, job))
            self._recorder.normal(JOB, job, "SuccessfulCreate", f"Created pod: {name_of(pod)}")
            made.append(pod)
        return made

    def _report(self, job: Object, active: list[Object], done: int) -> None:
        before = job.get("status") or {}
        status: Object = {"active": len(active), "ready": count_ready(active), "succeeded": done}
        status |= {"startTime": before.get("startTime", timestamp()), "conditions": before.get("conditions") or []}
        if done >= job["spec"]["completions"]:
            reached = {"status": "True", "reason": "CompletionsReached", "message": "Reached expected number of pods"}
            for name in ("SuccessCriteriaMet", "Complete"):
                status["conditions"] = with_condition(status["conditions"], {"type": name} | reached)
            status["completionTime"] = timestamp()
            self._recorder.normal(JOB, job, "Completed", "Job completed")
        write_status(self._api, JOB, job, status)

    def _expire(self, job: Object) -> float | None:
        limit = job["spec"].get("ttlSecondsAfterFinished")
        if limit is None:
            return None
        left = float(limit - age_in_seconds(job["status"]["completionTime"]))
        if left > 0:
            return left
        self._api.delete(JOB, namespace_of(job), name_of(job), CONTROLLER)
        return None
