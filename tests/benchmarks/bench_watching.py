"""What it costs to be watched: the install of bench_execution with nothing, logs, traces, metrics, and all of them.

Run `python tests/benchmarks/bench_watching.py [INSTANCES] [--rounds N]` (1000, 3). The kinds take turns, so that a busy
moment of the machine meets them all; what counts is the ratio to `off`. A collector on loopback takes what is sent.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.bench_execution import Install, Place, install
from tests.benchmarks.bench_parse import table
from tests.runtime.watching.collector import collecting

KINDS = ("off", "metrics", "logs", "traces", "all")


def measure(kind: str, instances: int, folder: Path) -> tuple[Install, int]:
    """Return an install that was watched so, and how many spans were taken."""
    place = Place(name="SQLite", folder=folder, server=None, slowly={})
    with collecting() as collector, place.home(instances) as home:
        watching = {} if kind == "off" else collector.environment(kind)
        watched = replace(home, variables={**home.variables, **watching, "GROUNDPLAN_LOG_FILE": str(folder / "log")})
        done = install(watched)
    return done, len(collector.spans)


def main() -> None:
    """Measure in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", metavar="INSTANCES", type=int, nargs="?", default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, list[tuple[Install, int]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for kind in KINDS:
                found[kind].append(measure(kind, given.instances, Path(folder)))
    rates = {kind: statistics.median(it.operations / it.seconds for it, _ in found[kind]) for kind in KINDS}
    cpu = {kind: statistics.median(it.cpu for it, _ in found[kind]) for kind in KINDS}
    rows = [
        [
            kind,
            f"{rates[kind]:,.0f}",
            f"{rates[kind] / rates['off']:.2f}",
            f"{cpu[kind] * 1e6:,.0f}",
            f"{cpu[kind] / cpu['off']:.2f}",
            f"{statistics.median(spans for _, spans in found[kind]):,.0f}",
        ]
        for kind in KINDS
    ]
    operations = found["off"][0][0].operations
    print(f"{operations:,} operations, median of {given.rounds} rounds\n")
    print(table(["watched", "ops/s", "to off", "CPU µs/op", "to off", "spans taken"], rows))


if __name__ == "__main__":
    main()
