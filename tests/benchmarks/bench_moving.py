"""What it costs to move a store: exported from SQLite, imported into PostgreSQL, sealed with another key, examined.

    bench_moving.py [INSTANCES]      default 100,000; six events each

Each step runs in a process of its own, so that its peak memory is its own.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.proof.postgres import postgres_server

from groundplan.model.deployment import Deployment, NodeInstance
from groundplan.model.execution import Event, EventType
from groundplan.model.ids import BlueprintId, DeploymentId, Digest, InstanceId, NodeId
from groundplan.model.values import Sensitive
from groundplan.service import moving
from groundplan.service.assembly import open_engine
from groundplan.service.rekeying import rekey

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOP = DeploymentId("shop")
PASSPHRASE = "a passphrase of some length"
EVENTS = 6


def fill(count: int) -> None:
    """Make a deployment with runtime properties of 1 KB an instance, and its events."""
    properties = {"text": "x" * 1000, "password": Sensitive("correct horse")}
    with open_engine() as engine, engine.store.transaction() as transaction:
        instances = [
            NodeInstance(id=InstanceId(f"n_{i}"), node=NodeId("n"), index=i, runtime_properties=properties)
            for i in range(count)
        ]
        deployment = Deployment(id=SHOP, blueprint=BlueprintId("b"), digest=Digest("d"), created_at=NOW)
        transaction.add_deployment(deployment, instances)
        for instance in instances:
            for _ in range(EVENTS):
                event = Event(
                    at=NOW, type=EventType.LOG, message="it works " * 5, deployment=SHOP, instance=instance.id,
                    execution=None,
                )  # fmt: skip
                transaction.append_event(event)


def step(name: str, argument: str) -> None:
    """Do one step and print a row of the table."""
    begun, cpu = time.perf_counter(), time.process_time()
    if name == "fill":
        fill(int(argument))
        return
    with open_engine() as engine:
        if name == "export":
            moving.export(engine.store, engine.home, Path(argument), PASSPHRASE)
        elif name == "import":
            moving.import_(engine.store, engine.home, Path(argument), lambda: PASSPHRASE)
        elif name == "rekey":
            rekey(engine.store, engine.keys, None, NOW)
        else:
            assert engine.store.examine().faults[1:] == ()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    elapsed, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(f"{name:<8} {os.environ.get('ON', ''):<12} {elapsed:8.1f} {cpu:8.1f} {memory:8d}", flush=True)


def main() -> None:
    """Run all steps."""
    count = sys.argv[1] if len(sys.argv) > 1 else "100000"
    with tempfile.TemporaryDirectory() as folder, postgres_server(fsync="on") as server, server.database() as name:
        file = f"{folder}/export"
        sqlite = {**os.environ, "GROUNDPLAN_HOME": f"{folder}/one", "ON": "SQLite"}
        postgresql = {
            **os.environ,
            "GROUNDPLAN_HOME": f"{folder}/two",
            "GROUNDPLAN_DATABASE_URL": server.url(name),
            "ON": "PostgreSQL",
        }

        def run(environment: dict[str, str], *arguments: str) -> None:
            subprocess.run([sys.executable, __file__, "step", *arguments], env=environment, check=True)

        run(sqlite, "fill", count)
        print(f"{int(count):,} instances, {int(count) * EVENTS:,} events\n")
        print(f"{'step':<8} {'on':<12} {'s':>8} {'CPU s':>8} {'peak MB':>8}")
        run(sqlite, "export", file)
        print(f"{'':<8} {'file':<12} {Path(file).stat().st_size / 1e6:8.1f} MB")
        run(postgresql, "import", file)
        for environment in (sqlite, postgresql):
            run(environment, "examine", "")
            run(environment, "rekey", "")


if __name__ == "__main__":
    step(*(*sys.argv[2:4], "")[:2]) if sys.argv[1:2] == ["step"] else main()
