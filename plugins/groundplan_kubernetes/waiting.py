"""Wait until an object is ready, or gone. Polls, more and more seldom; what ready means is `readiness`."""

from collections.abc import Iterator
from typing import Any, Final

from groundplan.sdk.context import OperationContext
from groundplan.sdk.errors import NonRecoverableError, OperationRetry, RecoverableError
from groundplan_kubernetes.cluster import Cluster
from groundplan_kubernetes.definitions import Wanted
from groundplan_kubernetes.failures import Missing
from groundplan_kubernetes.readiness import why_never_ready, why_not_ready

_READY_SECONDS: Final = 600.0
_GONE_SECONDS: Final = 300.0
_SHORTEST: Final = 0.2
_LONGEST: Final = 3.0


def await_ready(ctx: OperationContext, cluster: Cluster, wanted: Wanted) -> dict[str, Any]:
    """Return the object when it is ready.

    Raises:
        NonRecoverableError: it is not there, or cannot become ready any more.
        OperationRetry: it is not ready after ten minutes; the next attempt waits on.
    """
    told = ""
    for pause in _pauses(_READY_SECONDS):
        item = existing(cluster, wanted)
        missing, never = why_not_ready(item), why_never_ready(item)
        if never:
            raise NonRecoverableError(f"{wanted.name}: {never}")
        if not missing:
            return item
        if missing != told:
            ctx.logger.info(f"Waiting for {wanted.name}: {missing}")
            told = missing
        ctx.sleep(pause)
    raise OperationRetry(f"{wanted.name} is not ready after {_READY_SECONDS:.0f} s: {told}")


def await_gone(ctx: OperationContext, cluster: Cluster, wanted: Wanted, uid: str) -> None:
    """Return when the object known by `uid` is no longer there.

    Raises:
        RecoverableError: it is still there after five minutes.
    """
    finalizers: object = []
    for pause in _pauses(_GONE_SECONDS):
        try:
            item = cluster.get(wanted.definition, wanted.namespace)
        except Missing:
            return
        if item["metadata"].get("uid") != uid:
            return
        finalizers = item["metadata"].get("finalizers") or []
        ctx.sleep(pause)
    held = f", held by {finalizers}" if finalizers else ""
    raise RecoverableError(f"{wanted.name} is still there after {_GONE_SECONDS:.0f} s{held}")


def existing(cluster: Cluster, wanted: Wanted) -> dict[str, Any]:
    """Return the object.

    Raises:
        NonRecoverableError: there is none.
    """
    try:
        return cluster.get(wanted.definition, wanted.namespace)
    except Missing as missing:
        raise NonRecoverableError(f"There is no {wanted.name} in {wanted.namespace}: {missing}") from missing


def _pauses(patience: float) -> Iterator[float]:
    """Yield waits that grow until they add up to `patience`, in seconds."""
    pause, waited = _SHORTEST, 0.0
    while waited < patience:
        yield pause
        waited += pause
        pause = min(pause * 1.4, _LONGEST)
