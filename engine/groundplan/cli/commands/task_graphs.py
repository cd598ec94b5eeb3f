"""`groundplan executions graph`: the tasks of an execution and how far they have come."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from groundplan.cli.options import as_json, engine, print_json
from groundplan.cli.views import records
from groundplan.diagnostics.trouble import NotFound, UsageError
from groundplan.model.execution import Execution
from groundplan.model.ids import ExecutionId, InstanceId
from groundplan.service import executions
from groundplan.service.pictures.picture import Kind
from groundplan.service.pictures.sketching import KINDS, MOST_BOXES, By, Gathered, gather, sketch
from groundplan.state.store import Snapshot, StageRecord, TaskRecord

_FORMS: Final = ("text", "mermaid", "svg", "png")


@click.command()
@click.argument("execution_id")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file: .svg, .png, .mmd.")
@click.option("--format", "form", type=click.Choice(_FORMS), help="Default: by the file's name, else text.")
@click.option("--stage", type=click.IntRange(min=1), help="Only the tasks of one stage; the first is 1.")
@click.option("--most", type=click.IntRange(min=1), default=MOST_BOXES, show_default=True, help="Boxes in a picture.")
@as_json
def graph(
    execution_id: str, output: Path | None, form: str | None, stage: int | None, most: int, as_json: bool
) -> None:
    """Show the tasks of an execution, which waits for which, and their states, also while it runs.

    Where there are too many, a box or line stands for all tasks of an instance or node, and that is said.
    """
    with engine(quiet=True) as opened, opened.store.snapshot() as snapshot:
        execution = executions.get_in(snapshot, ExecutionId(execution_id))
        tasks = _tasks(snapshot, execution.id, stage)
        nodes = {item.id: str(item.node) for item in snapshot.instances(execution.deployment)}

    def node_of(instance: InstanceId) -> str:
        return nodes.get(instance) or instance.rpartition("_")[0]

    if as_json:
        print_json(_document(execution, tasks))
    elif output is None and form in (None, "text"):
        _show(execution, tasks, node_of)
    else:
        _draw(execution, tasks, node_of, form, output, most)


def _tasks(snapshot: Snapshot, id_: ExecutionId, stage: int | None) -> Sequence[TaskRecord]:
    tasks = snapshot.tasks(id_)
    if stage is None:
        return tasks
    stages: dict[int, StageRecord] = {item.number: item for item in snapshot.stages(id_)}
    if stage not in stages:
        raise NotFound(f"Execution {id_} has no stage {stage}; it has {len(stages)} so far.")
    end = stages[stage + 1].first if stage + 1 in stages else len(tasks)
    return tasks[stages[stage].first : end]


def _title(execution: Execution) -> str:
    return f"{execution.workflow} of {execution.deployment} ({execution.status.shown})"


def _whole(tasks: Sequence[TaskRecord]) -> str:
    return Gathered(name="", records=tasks).words


def _show(execution: Execution, tasks: Sequence[TaskRecord], node_of: Callable[[InstanceId], str]) -> None:
    from groundplan.cli.views.tasks import show_tasks

    click.echo(f"{_title(execution)}, execution {execution.id}: {_whole(tasks)}")
    note = show_tasks(tasks, node_of)
    if note:
        click.echo(f"{note}; all of them: --json", err=True)
    if any(KINDS[item.state] is not Kind.DONE for item in tasks):
        click.echo(f"  = why it is not done: groundplan executions explain {execution.id}", err=True)


def _draw(
    execution: Execution,
    tasks: Sequence[TaskRecord],
    node_of: Callable[[InstanceId], str],
    form: str | None,
    output: Path | None,
    most: int,
) -> None:
    from groundplan.cli.views.graph import form_of, put

    if form == "text":
        raise UsageError("Text goes to the screen: leave -o out, or send it on with > FILE.")
    chosen = form_of(form, output)
    found = sketch(f"{_title(execution)}: {_whole(tasks)}", tasks, node_of, most)
    put(found.picture, chosen, output)
    if found.note:
        click.echo(found.note, err=True)


def _document(execution: Execution, tasks: Sequence[TaskRecord]) -> dict[str, Any]:
    return {
        "execution": records.execution(execution),
        "tasks": [records.task(item) for item in tasks],
        "instances": [
            {"id": each.name, "state": str(each.kind), "tasks": [item.task.number for item in each.records]}
            for each in gather(tasks, str, By.INSTANCE)
        ],
    }
