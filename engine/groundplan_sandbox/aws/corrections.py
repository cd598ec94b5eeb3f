"""Which services have corrections that are loaded at their first request, so that a sandbox without them stays small.

EC2 and IAM are corrected from the start (`server`); everything that runs servers of its own is here.
"""

import importlib
import threading

from groundplan_sandbox.aws.site import Site

_MODULES = {
    "eks": ("eks.answers",),
    "rds": ("rds.instances",),
    "autoscaling": ("scaling",),
    "cognito-identity": ("identity",),
    "events": ("events",),
    "lambda": ("functions",),
    "cloudformation": ("eks.answers", "rds.instances", "scaling", "cloudformation.answers"),
}
"""By signing name; CloudFormation makes resources of the others. Each module has `install(site)`."""


class Corrections:
    """Installs corrections into moto, each once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._installed: set[str] = set()
        self._lock = threading.Lock()

    def load(self, service: str) -> None:
        """Make `service` answer as corrected; returns at once when it does already."""
        with self._lock:
            for name in _MODULES.get(service, ()):
                if name not in self._installed:
                    importlib.import_module(f"groundplan_sandbox.aws.{name}").install(self._site)
                    self._installed.add(name)
