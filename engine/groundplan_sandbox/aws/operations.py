"""The name of the API call that a request is, as users know it: `RunInstances`, `CreateCluster`.

Query and JSON services say it themselves; for REST services the SDK's description of the service is asked. S3's calls
are not told apart.
"""

import re
from functools import cache
from urllib.parse import parse_qs

from moto.core.utils import get_service_model

from groundplan_sandbox.aws.signature import Request

UNKNOWN = ""


def operation_of(service: str, request: Request) -> str:
    """The call's name, empty when it cannot be told. service: the signing name."""
    if target := request.headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    for text in (request.query, request.body.decode("latin-1")):
        if "Action=" in text and (named := parse_qs(text).get("Action")):
            return named[0]
    for method, pattern, name in _routes(service):
        if method == request.method and pattern.fullmatch(request.path):
            return name
    return UNKNOWN


@cache
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Method, path and name of a REST service's calls, those with the longest fixed part first."""
    try:
        model = get_service_model(service)
    except Exception:
        # The SDK describes no service of that name; its own error class is behind another door.
        return ()
    if not model.metadata["protocol"].startswith("rest") or service == "s3":
        return ()
    calls = [(model.operation_model(name).http, name) for name in model.operation_names]
    calls.sort(key=lambda call: call[0]["requestUri"].count("{"))
    return tuple((http["method"], _pattern(http["requestUri"]), name) for http, name in calls)


def _pattern(uri: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", uri.partition("?")[0])
    made = "".join(
        (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(made)
