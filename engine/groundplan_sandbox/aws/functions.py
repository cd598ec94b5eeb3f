"""Lambda: functions are recorded and never run, and whoever calls one is told so.

moto runs them in containers, while every other request waits, and answers in Docker's words where there is none.
"""

import logging
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction

from groundplan_sandbox.aws.site import Site

log = logging.getLogger(__name__)


def install(site: Site) -> None:
    """Correct every function of this process."""
    LambdaBackend.invoke = _refuse
    LambdaFunction._invoke_lambda = _pass_over


def _refuse(backend: Any, function_name: str, qualifier: str | None, *args: Any) -> None:
    """A caller is refused; one of a function that is not there, in Lambda's words."""
    name = backend.get_function(function_name, qualifier).function_name
    raise LambdaClientError("NotImplemented", f"The sandbox runs no functions: {name} is recorded only.")


def _pass_over(function: Any, event: Any = None) -> tuple[str, bool, str]:
    """What topics and queues would deliver to a function is dropped: nobody waits for its answer."""
    log.warning("function %s: the sandbox runs no functions; an event for it is dropped", function.function_name)
    return "null", False, ""
