"""Serves the stand-in to the binary that started it, until that shuts it down.

An interrupt ends nothing here: the binary decides when its providers end, and what is being made must be told.
"""

import signal
import sys
from typing import Any, Final

from tf import runner

from groundplan_sandbox.terraform.aws.provider import AwsStandIn

_STOP: Final = "/StopProvider"


class _Patient(runner._ShutdownInterceptor):  # type: ignore[misc]
    """Goes on when it is asked to stop, as providers do that finish what they are at; ends when it is shut down."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        if handler_call_details.method.endswith(_STOP):
            return continuation(handler_call_details)
        return super().intercept_service(continuation, handler_call_details)


def main() -> None:
    """Serve until the binary says that it is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner._ShutdownInterceptor = _Patient
    runner.run_provider(AwsStandIn(), sys.argv)


if __name__ == "__main__":
    main()
