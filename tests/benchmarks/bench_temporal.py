"""What an operation costs when Temporal drives: rows of no-op nodes installed by one worker or several.

Run `python tests/benchmarks/bench_temporal.py [INSTANCES ...]` (200 unless told). Temporal's development server in
memory (`make live` builds it), the store in SQLite, eight operations at once for each worker; operations do nothing.
`wide` has rows of 50 nodes, `chain` one node after the other: what one step costs.
"""

import sys
import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.bench_parse import table
from tests.proof.temporal import TemporalServer, temporal_server
from tests.proof.user import user_in

HEAD = """
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, plugin:groundplan-nop]
node_templates:
"""
NODE = """
  {name}:
    type: groundplan.nodes.Nop
    relationships: [{relationships}]
"""


def blueprint(count: int, width: int) -> str:
    """Return rows of nodes; each node waits for its neighbour in the row before."""
    nodes = []
    for number in range(count):
        above = number - width
        waits = f"{{type: cloudify.relationships.depends_on, target: n{above}}}" if above >= 0 else ""
        nodes.append(NODE.format(name=f"n{number}", relationships=waits))
    return HEAD + "".join(nodes)


def measure(server: TemporalServer, folder: Path, count: int, width: int, workers: int) -> tuple[int, float]:
    """Install once; return how many operations ran and the seconds from the first start to the last end."""
    user = user_in(folder, GROUNDPLAN_TEMPORAL_ADDRESS=server.target)
    user.upload("bench", blueprint(count, width))
    user.ok("deployments", "create", "bench", "-b", "bench")
    with ExitStack() as stack:
        for _ in range(workers):
            process = stack.enter_context(user.running("worker"))
            assert process.stdout is not None
            process.stdout.readline()
        user.ok("executions", "start", "install", "-d", "bench")
    events = [event for event in user.events("bench") if event["event_type"] in ("task_started", "task_succeeded")]
    first, last = (datetime.fromisoformat(events[index]["timestamp"]) for index in (0, -1))
    return sum(event["event_type"] == "task_succeeded" for event in events), (last - first).total_seconds()


def main(arguments: list[str]) -> None:
    counts = [int(text) for text in arguments] or [200]
    rows = []
    with temporal_server() as server, tempfile.TemporaryDirectory() as folder:
        for count in counts:
            for shape, width, workers in (("chain", 1, 1), ("wide", 50, 1), ("wide", 50, 3)):
                size = min(count, 30) if shape == "chain" else count
                place = Path(folder) / f"{shape}-{count}-{workers}"
                done, seconds = measure(server, place, size, width, workers)
                rows.append([shape, str(size), str(workers), str(done), f"{done / seconds:.0f}"])
    print(table(["shape", "instances", "workers", "operations", "operations a second"], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
