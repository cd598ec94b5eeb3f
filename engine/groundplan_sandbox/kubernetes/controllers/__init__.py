"""The controllers: what a cluster does by itself after an object was written.

`queue` runs them; each other module is one controller. They write through `api` like every client does.
"""

from groundplan_sandbox.kubernetes.controllers.queue import Controllers

__all__ = ["Controllers"]
