"""How long planning takes: instances, the install graph, and the scheduler's walk through it.

Run `python tests/benchmarks/bench_planning.py [INSTANCES ...]` (1000, 10000 and 100000 unless told). The blueprint has
layers of 50 node templates with four lifecycle operations each; a template depends on up to two of the layer before.
Times are CPU times, the best of three runs, in seconds and in microseconds for each thing done.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeVar

from groundplan.model.blueprint import Blueprint, NodeTemplate, Operation, Relationship
from groundplan.model.execution import TaskState, Verdict
from groundplan.model.graph import TaskGraph
from groundplan.model.ids import NodeId
from groundplan.planning.advance import Progress, rebuild
from groundplan.planning.instances import make_instances
from groundplan.planning.workflows.install import install

WIDTH = 50
SIZES = (1_000, 10_000, 100_000)
RUNS = 3

Made = TypeVar("Made")


def layered(size: int) -> Blueprint:
    """Return a blueprint of `size` node templates in layers."""
    run = Operation(plugin="nop", operation="nop.tasks.run")
    steps = ("create", "configure", "start", "stop")
    operations = {f"cloudify.interfaces.lifecycle.{name}": run for name in steps}
    kind = "cloudify.relationships.depends_on"
    nodes = {}
    for number in range(size):
        name = NodeId(f"node_{number}")
        before = {number - WIDTH, number - WIDTH + number % 7 - 3} if number >= WIDTH else set()
        nodes[name] = NodeTemplate(
            name=name,
            type="cloudify.nodes.Root",
            type_hierarchy=("cloudify.nodes.Root",),
            operations=operations,
            relationships=tuple(
                Relationship(type=kind, target=NodeId(f"node_{target}"), type_hierarchy=(kind,))
                for target in sorted(before)
                if target >= 0
            ),
        )
    return Blueprint(version="cloudify_dsl_1_5", nodes=nodes)


def drain(graph: TaskGraph, batch: int) -> None:
    """Walk to the end, ending `batch` tasks at a time."""
    progress = Progress(graph)
    waiting = progress.advance().ready
    while waiting:
        ending, waiting = waiting[:batch], waiting[batch:]
        waiting += progress.advance([(number, Verdict.SUCCEEDED) for number in ending]).ready


def best(work: Callable[[], Made]) -> tuple[float, Made]:
    """Return the shortest time of some runs in seconds, and what the work made."""
    times = []
    for _ in range(RUNS):
        begin = time.process_time()
        made = work()
        times.append(time.process_time() - begin)
    return min(times), made


def measure(size: int) -> Sequence[tuple[str, float, int]]:
    """Return (what, seconds, how many it was done to) for one size."""
    plan = layered(size)
    endings = count()
    placing, instances = best(lambda: make_instances(plan, {}, lambda name: f"{name}_{next(endings):06}"))
    planning, graph = best(lambda: install(plan, instances))
    tasks = len(graph.tasks)
    half = dict.fromkeys(range(tasks // 2), TaskState.SUCCEEDED)
    return (
        ("instances", placing, len(instances)),
        ("install graph", planning, tasks),
        ("progress from graph", best(lambda: Progress(graph))[0], tasks),
        ("walk, batches of 50", best(lambda: drain(graph, 50))[0], tasks),
        ("walk, one by one", best(lambda: drain(graph, 1))[0], tasks),
        ("rebuild at half", best(lambda: rebuild(graph, half))[0], tasks),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", metavar="INSTANCES", type=int, nargs="*", default=SIZES)
    print(f"{'instances':>10}  {'what':<22}{'done to':>10}{'seconds':>10}{'us each':>10}")
    for size in parser.parse_args().sizes:
        for what, seconds, done_to in measure(size):
            print(f"{size:>10}  {what:<22}{done_to:>10}{seconds:>10.3f}{seconds / done_to * 1e6:>10.2f}")


if __name__ == "__main__":
    main()
