"""The process of a custom workflow: hears what is to be run, runs it, and tells how it ended."""

import importlib
import os
import runpy
import socket
import sys
import traceback
from typing import Any, Dict, List

from . import _session, api
from .workflow_context import WorkflowContext

_SHOWN = 60000


def main() -> None:
    """Run the workflow that the environment names, and end the process."""
    connection = socket.socket(fileno=int(os.environ.pop("CTX_WORKFLOW_CHANNEL")))
    connection.set_inheritable(False)
    program = os.environ.pop("CTX_WORKFLOW_PROGRAM")
    sys.excepthook = sys.__excepthook__
    session = _session.Session(connection)
    _session.current[0] = session
    context = WorkflowContext(session)
    session.context = context
    session.listen()
    told = _run(session, context, program)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    session.tell(told)
    os._exit(0)  # threads that the workflow left behind are not waited for


def _run(session: _session.Session, context: WorkflowContext, program: str) -> Dict[str, Any]:
    try:
        context.refresh_node_instances()
        given = _call(session, context, program)
        _await(session)
        if given == api.EXECUTION_CANCELLED_RESULT:
            raise api.ExecutionCancelled()
    except api.ExecutionCancelled:
        return {"type": "end", "verdict": "cancelled"}
    except SystemExit as error:
        if error.code in (None, 0):
            return {"type": "end", "verdict": "done"}
        return {"type": "end", "verdict": "failed", "error": "the workflow called exit(%r)" % (error.code,)}
    # Ctrl-C of the terminal as well: the engine is told how it ended, whatever that was.
    except BaseException as error:
        text = _words(error)[:_SHOWN]
        detail = "" if _session.is_of_a_task(error) else _trace(error)
        return {"type": "end", "verdict": "failed", "error": text, "detail": detail}
    return {"type": "end", "verdict": "done"}


def _call(session: _session.Session, context: WorkflowContext, program: str) -> Any:
    if os.sep in program:
        sys.argv = [program]
        runpy.run_path(program, run_name="__main__")
        return None
    module_name, _, name = program.rpartition(".")
    try:
        function = getattr(importlib.import_module(module_name), name)
    except ImportError as error:
        raise RuntimeError(
            "%s cannot be imported: %s. The plugin's package must be installed beside the engine, or lie in the "
            "blueprint's folder plugins/" % (module_name, error)
        ) from error
    except AttributeError:
        raise RuntimeError("%s has no function %s" % (module_name, name)) from None
    if getattr(function, "__workflow__", False):
        return function(**session.parameters)
    return function(ctx=context, **session.parameters)


def _await(session: _session.Session) -> None:
    """Wait for what the workflow began and did not wait for; a failure that nobody looked at is the workflow's."""
    session.settle()
    unseen: List[BaseException] = session.unseen()
    if unseen:
        raise unseen[0]
    session.go_on()


def _words(error: BaseException) -> str:
    """A missing key says no more than its name."""
    said, kind = str(error), type(error).__name__
    return "%s: %s" % (kind, said) if isinstance(error, KeyError) else said or kind


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))[-_SHOWN:]


if __name__ == "__main__":
    main()
