"""How many operations a second the driver records: an install of nodes that do nothing, on the command line.

Run `python tests/benchmarks/bench_execution.py [NODES ...]` (300 and 1000 unless told). Each node depends on the one 50
before it, so that there is always more to do than workers. Every start and every outcome is committed to disk,
so the time of one sync of this disk stands beside the figure: without it the figure means nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

WIDTH = 50
SIZES = (300, 1_000)
SYNCS = 50
HEAD = "tosca_definitions_version: cloudify_dsl_1_5\nimports: [cloudify/types/types.yaml, plugin:groundplan-nop]\n"


def write(file: Path, size: int) -> None:
    """Write a blueprint of `size` nodes."""
    lines = [HEAD + "node_templates:"]
    for number in range(size):
        lines.append(f"  n{number}:\n    type: groundplan.nodes.Nop\n    properties: {{values: {{port: {number}}}}}")
        if number >= WIDTH:
            link = f"{{type: groundplan.relationships.Nop, target: n{number - WIDTH}}}"
            lines.append(f"    relationships: [{link}]")
    file.write_text("\n".join(lines))


def groundplan(home: Path, *arguments: str) -> Any:
    """Run a command and return what it prints as JSON, or None."""
    done = subprocess.run(
        [sys.executable, "-m", "groundplan.cli.main", *arguments],
        env={**os.environ, "GROUNDPLAN_HOME": str(home)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout) if "--json" in arguments else None


def sync_seconds(folder: Path) -> float:
    """Return the median time of writing 4 KiB and syncing them."""
    times = []
    with (folder / "synced").open("wb") as file:
        for _ in range(SYNCS):
            file.write(bytes(4096))
            file.flush()
            begin = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure(size: int) -> tuple[int, float, float]:
    """Return the number of operations, the seconds that they took, and those of one sync."""
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place), Path(place, "home")
        write(folder / "blueprint.yaml", size)
        groundplan(home, "blueprints", "upload", str(folder / "blueprint.yaml"), "-b", "b")
        groundplan(home, "deployments", "create", "d", "-b", "b")
        ended = groundplan(home, "executions", "start", "install", "-d", "d", "--json")
        events = groundplan(home, "events", "list", ended["id"], "--json")
        begun = [event["timestamp"] for event in events if event["event_type"] == "task_started"]
        took = datetime.fromisoformat(ended["ended_at"]) - datetime.fromisoformat(begun[0])
        return len(begun), took.total_seconds(), sync_seconds(folder)


def main() -> None:
    """Measure the sizes of the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nodes", nargs="*", type=int, default=SIZES)
    print(f"{'nodes':>8} {'operations':>12} {'seconds':>9} {'ops/s':>8} {'sync ms':>8}")
    for size in parser.parse_args().nodes:
        operations, seconds, sync = measure(size)
        print(f"{size:>8} {operations:>12} {seconds:>9.2f} {operations / seconds:>8.0f} {sync * 1e3:>8.2f}")


if __name__ == "__main__":
    main()
