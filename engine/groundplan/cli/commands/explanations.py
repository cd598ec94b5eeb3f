"""`groundplan executions explain`: why an execution or a task is not done."""

from typing import Final

import click

from groundplan.cli.options import as_json, engine, print_json, print_table
from groundplan.cli.views import records
from groundplan.diagnostics.visible import visible
from groundplan.model.ids import ExecutionId
from groundplan.service.assembly import now
from groundplan.service.explaining import Explanation
from groundplan.service.explaining import explain as use_case
from groundplan.service.waiting import Reason

_MOST: Final = 20
_MOST_STEPS: Final = 9
_HEAD: Final = 4
"""Of a longer way, so many steps are shown at either end."""


@click.command()
@click.argument("execution_id")
@click.argument("task", default="")
@click.option("--all", "everything", is_flag=True, help=f"Every task that is not done, not {_MOST} of them.")
@as_json
def explain(execution_id: str, task: str, everything: bool, as_json: bool) -> None:
    """Say why an execution, or its TASK, is not done: the root cause first, then what each task waits for.

    TASK is a number, or a name such as vm_a1b2c3.create; of an instance or a node, the first one that is not done.
    """
    with engine(quiet=as_json) as opened, opened.store.snapshot() as snapshot:
        found = use_case(snapshot, opened.library, ExecutionId(execution_id), task, now(), opened.limit)
    shown = found.tasks if everything else found.tasks[:_MOST]
    if as_json:
        print_json(
            {
                "execution": records.listed(found.execution),
                "tasks_done": found.done,
                "tasks_total": found.total,
                "root_cause": records.reason(found.path[-1]),
                "path": [records.reason(item) for item in found.path],
                "tasks": [records.reason(item) for item in shown],
                "tasks_left_out": len(found.tasks) - len(shown),
            }
        )
        return
    _tell(found, about_one=bool(task))
    if not task and found.tasks:
        rows = [(item.task, item.name, item.cause, item.holds_up or "", item.words) for item in shown]
        print_table(["task", "name", "cause", "holds up", "why"], rows, empty="")
        if len(found.tasks) > len(shown):
            click.echo(f"{len(found.tasks) - len(shown)} more are not shown; see them with --all")


def _tell(found: Explanation, *, about_one: bool) -> None:
    asked, path = found.execution.execution.id, found.path
    root = path[-1]
    if len(path) > 1:
        click.echo(_line(root, asked, "Root cause: "))
    else:
        click.echo(_line(root, asked, ""))
    fix = next((reason.fix for reason in reversed(path) if reason.fix), "")
    if fix:
        click.echo(f"  = fix: {fix}")
    if len(path) > 1:
        click.echo("The way there:")
        for depth, reason in enumerate(path):
            if len(path) <= _MOST_STEPS or not _HEAD <= depth < len(path) - _HEAD:
                click.echo(_line(reason, asked, f"  {depth + 1}. "))
            elif depth == _HEAD:
                click.echo(f"  ... {len(path) - 2 * _HEAD} steps between ...")
    if not about_one and found.total:
        click.echo(f"{found.done} of {found.total} tasks are done")


def _line(reason: Reason, asked: ExecutionId, before: str) -> str:
    """Return a reason as a sentence; of another execution than the one that is asked about, with its id."""
    which = "" if reason.execution == asked else f" (execution {reason.execution})"
    return visible(f"{before}{reason.name}{which} {reason.words}")
