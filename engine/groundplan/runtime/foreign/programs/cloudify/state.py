"""The operation's inputs as `ctx_parameters` (`inputs`), by key and by name."""

import json
import os
from typing import Any, Dict

from . import ctx

__all__ = ["ctx", "ctx_parameters", "current_ctx", "inputs", "workflow_ctx", "workflow_parameters"]


class Parameters(Dict[str, Any]):
    """Inputs that can be read as attributes too; a missing one is a KeyError."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def _read() -> Parameters:
    path = os.environ.get("CTX_INPUTS")
    if not path:
        return Parameters()
    with open(path, encoding="utf-8") as text:
        return Parameters(json.load(text))


ctx_parameters = _read()
inputs = ctx_parameters


class CurrentContext:
    """The form in which some libraries ask for the context."""

    def get_ctx(self) -> Any:
        return ctx

    def get_parameters(self) -> Parameters:
        return ctx_parameters


current_ctx = CurrentContext()


class WorkflowPart:
    """A part of the context of a workflow, found when it is used: scripts of operations have none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _part(self) -> Any:
        from . import workflows

        return getattr(workflows, self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._part(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._part()[key]


workflow_ctx = WorkflowPart("ctx")
workflow_parameters = WorkflowPart("parameters")
