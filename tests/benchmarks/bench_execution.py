"""How many operations a second an install gets through with everything recorded and durable, on the command line.

Run `python tests/benchmarks/bench_execution.py [INSTANCES ...]` (1000 and 10000 unless told; 100000 takes minutes).
Lines of node templates, 50 instances of each (a scaling group), whose create and start do nothing; every instance has
1 KB of properties with functions in them, which become its sealed runtime properties; four events an operation. SQLite
syncs each commit, PostgreSQL runs with fsync. A figure means nothing without the time of a sync of the same disk, which
stands beside it. `--slow MS` adds so much to each sync; `--peers FOLDER` times cloudify-common's local mode and unfurl,
installed there, and Terraform, where one is on the PATH; `--write` puts the tables into docs/benchmarks.md.
"""

import argparse
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.bench_parse import installed, table
from tests.proof.postgres import PostgresServer

WIDTH = 50
CHAIN = 300
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- begin: bench_execution -->", "<!-- end: bench_execution -->"
GROUNDPLAN = str(Path(sys.executable).with_name("groundplan"))
# Sources compile once where a user installs; a shell that forbids Python to keep that would have each start do it anew.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
SYNC = """
import os, sys, time
file = open(sys.argv[1], "wb", buffering=0)
times = []
for _ in range(60):
    file.write(bytes(4096))
    begin = time.perf_counter()
    os.fdatasync(file.fileno())
    times.append(time.perf_counter() - begin)
print(sorted(times)[30])
"""
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int slowly(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct timespec pause = {0, %d * 1000000L};
    nanosleep(&pause, 0);
    return real(fd);
}
int fsync(int fd) { return slowly("fsync", fd); }
int fdatasync(int fd) { return slowly("fdatasync", fd); }
"""


@dataclass(kw_only=True)
class SlowServer(PostgresServer):
    """A server with further variables in its environment."""

    variables: Mapping[str, str] = field(default_factory=dict)

    def _as_owner(self) -> dict[str, Any]:  # type: ignore[override]
        owner = PostgresServer._as_owner()
        return {**owner, "env": {**owner["env"], **self.variables}}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where homes are made. `name`: of the store; `server`: for PostgreSQL; `slowly`: preloads the shim."""

    name: str
    folder: Path
    server: PostgresServer | None
    slowly: Mapping[str, str]

    @contextmanager
    def home(self, instances: int, width: int = WIDTH) -> Iterator["Home"]:
        """Give a home with a deployment of so many instances."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            variables = {"GROUNDPLAN_HOME": f"{place}/home", **self.slowly}
            database = "" if self.server is None else f"bench{os.urandom(4).hex()}"
            if self.server is not None:
                with self.server.connect() as connection:
                    connection.execute(f"CREATE DATABASE {database}".encode())
                variables["GROUNDPLAN_DATABASE_URL"] = self.server.url(database)
            home = Home(place=self, folder=Path(place), variables=variables, database=database)
            blueprint(Path(place) / "blueprint.yaml", instances, width)
            home.run("blueprints", "upload", f"{place}/blueprint.yaml", "-b", "b")
            home.run("deployments", "create", "d", "-b", "b")
            yield home
            if self.server is not None:
                with self.server.connect() as connection:
                    connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


@dataclass(frozen=True, kw_only=True)
class Home:
    """A home with one deployment, `d`."""

    place: Place
    folder: Path
    variables: Mapping[str, str]
    database: str

    def run(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        subprocess.run(
            [GROUNDPLAN, *arguments], env={**ENVIRONMENT, **self.variables}, stdout=subprocess.DEVNULL, check=True
        )

    def start(self, *arguments: str, terminal: int | None = None) -> "subprocess.Popen[bytes]":
        """Begin a command."""
        out = subprocess.DEVNULL if terminal is None else terminal
        return subprocess.Popen([GROUNDPLAN, *arguments], env={**ENVIRONMENT, **self.variables}, stdout=out, stderr=out)

    def ask(self, query: str) -> Any:
        """Return the one row that a query gives."""
        if self.place.server is None:
            with sqlite3.connect(self.folder / "home" / "state.db", timeout=30) as connection:
                return connection.execute(query).fetchone()
        with self.place.server.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchone()


@dataclass(frozen=True, kw_only=True)
class Install:
    """An install that ended. `planned`: seconds until its first operation began; `megabytes`: its process' peak."""

    operations: int
    seconds: float
    planned: float
    cpu: float
    megabytes: float


def blueprint(file: Path, instances: int, width: int) -> None:
    """Write a blueprint of so many instances, `width` of each template."""
    length = max(1, instances // width)
    lines = [
        "tosca_definitions_version: cloudify_dsl_1_5",
        "imports: [cloudify/types/types.yaml, plugin:groundplan-nop]",
        "inputs: {zone: {type: string, default: north}}",
        "node_types:\n  step:\n    derived_from: cloudify.nodes.Root\n    properties:",
        "      values: {type: dict, default: {}}\n      port: {type: integer, default: 0}",
        "    interfaces:\n      cloudify.interfaces.lifecycle:",
        "        create: nop.groundplan_nop.operations.run\n        start: nop.groundplan_nop.operations.run",
        "node_templates:",
    ]
    for number in range(length):
        lines += [f"  n{number}:\n    type: step\n    properties:\n      port: {number}\n      values:"]
        lines += ["        zone: {get_input: zone}"]
        lines += ["        url: {concat: ['http://', {get_input: zone}, ':', {get_property: [SELF, port]}]}"]
        lines += [f"        text_{each}: {'x' * 95}" for each in range(9)]
        if number:
            lines += [f"    relationships: [{{type: cloudify.relationships.depends_on, target: n{number - 1}}}]"]
    members = ", ".join(f"n{number}" for number in range(length))
    lines += [f"groups:\n  line: {{members: [{members}]}}\npolicies:\n  lines:\n    type: cloudify.policies.scaling"]
    lines += [f"    properties: {{default_instances: {width}}}\n    targets: [line]"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def install(home: Home, *, on_terminal: bool = False) -> Install:
    """Install the deployment of a home."""
    mine, theirs = pty.openpty() if on_terminal else (None, None)
    if mine is not None:
        threading.Thread(target=_drain, args=(mine,), daemon=True).start()
    quiet = [] if on_terminal else ["--json"]
    process = home.start("executions", "start", "install", "-d", "d", *quiet, terminal=theirs)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the install ended with {process.returncode}")
    operations, begun = home.ask("SELECT count(*), min(started_at) FROM attempts")
    created, ended = home.ask("SELECT created_at, ended_at FROM executions")
    return Install(
        operations=operations,
        seconds=ended - begun,
        planned=begun - created,
        cpu=(used.ru_utime + used.ru_stime) / operations,
        megabytes=used.ru_maxrss / 1024,
    )


def _drain(terminal: int) -> None:
    while True:
        try:
            os.read(terminal, 65536)
        except OSError:
            return


def resumed(home: Home, operations: int) -> float:
    """Kill an install half-way, resume it, and return the seconds from the command to its first operation."""
    process = home.start("executions", "start", "install", "-d", "d", "--json")
    while _attempts(home) < operations // 10 and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (execution,) = home.ask("SELECT id FROM executions")
    begun = time.time()
    process = home.start("executions", "resume", execution, "--json")
    first = None
    while first is None and process.poll() is None:
        (first,) = home.ask(f"SELECT min(started_at) FROM attempts WHERE started_at > {begun!r}")
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return float("nan") if first is None else first - begun


def _attempts(home: Home) -> int:
    try:
        count: int = home.ask("SELECT count(*) FROM attempts")[0]
    except sqlite3.OperationalError:
        return 0
    return count


def sync_seconds(place: Place) -> float:
    """Return the median time of a sync, as the store's process sees it."""
    folder = place.folder if place.server is None else place.server.folder
    done = subprocess.run(
        [sys.executable, "-c", SYNC, f"{folder}/synced"],
        env={**os.environ, **(place.slowly or getattr(place.server, "variables", {}))},
        capture_output=True,
        check=True,
    )
    return float(done.stdout)


def store_rate(home: Home) -> float:
    """Return the operations a second that the store takes by itself, with no scheduler and no operation round it."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("store_alone.py"))],
        env={**os.environ, **home.variables},
        capture_output=True,
        check=True,
    )
    return float(done.stdout)


@contextmanager
def places(folder: Path, slow: int) -> Iterator[list[Place]]:
    """Give both stores."""
    slowly: dict[str, str] = {}
    if slow:
        source, library = folder / "slow.c", folder / "slow.so"
        source.write_text(SHIM % slow)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        slowly = {"LD_PRELOAD": str(library)}
    folder.chmod(0o755)
    cluster = Path(tempfile.mkdtemp(prefix="groundplan-bench-"))
    settings = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "128MB"}
    server = SlowServer(folder=cluster, settings=settings, variables=slowly)
    server.start()
    try:
        yield [
            Place(name="SQLite", folder=folder, server=None, slowly=slowly),
            Place(name="PostgreSQL", folder=folder, server=server, slowly={}),
        ]
    finally:
        server.stop(signal.SIGINT)
        shutil.rmtree(cluster, ignore_errors=True)


def rates(sizes: Sequence[int], slow: int) -> str:
    """Return the table of installs."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), slow) as both:
        for place in both:
            for size in sizes:
                with place.home(WIDTH) as home:
                    alone = store_rate(home)
                with place.home(size) as home:
                    rows.append(_row(place, install(home), f"{size:,}", alone))
        if not slow:
            with both[0].home(sizes[-1]) as home:
                rows.append(_row(both[0], install(home, on_terminal=True), f"{sizes[-1]:,}, on a terminal", None))
    columns = ["store", "instances", "a sync, ms", "operations", "operations/s", "CPU, us each", "peak, MB"]
    return table([*columns, "until the first one, s", "the store alone, operations/s"], rows)


def _row(place: Place, done: Install, instances: str, alone: float | None) -> list[str]:
    return [
        place.name,
        instances,
        f"{sync_seconds(place) * 1e3:.2f}",
        f"{done.operations:,}",
        f"{done.operations / done.seconds:,.0f}",
        f"{done.cpu * 1e6:.0f}",
        f"{done.megabytes:.0f}",
        f"{done.planned:.2f}",
        "" if alone is None else f"{alone:,.0f}",
    ]


def alone(size: int) -> str:
    """Return the table of lone operations and of resuming."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), 0) as both:
        for place in both:
            with place.home(CHAIN, width=1) as home:
                done = install(home)
            with place.home(size) as home:
                again = resumed(home, 2 * size)
            each, sync = done.seconds / done.operations, sync_seconds(place)
            rows.append([place.name, *(f"{it * 1e3:.2f}" for it in (sync, each, each - sync)), f"{again:.2f}"])
    columns = ["store", "a sync, ms", "a lone operation, ms", "above the sync, ms"]
    return table([*columns, f"resume of {size:,} instances until its first operation, s"], rows)


LOCAL = """
import sys, time
from cloudify.workflows import local
sys.path.insert(0, sys.argv[2])
environment = local.init_env(sys.argv[1])
begin = time.time()
environment.execute("install", task_thread_pool_size=32)
print(2 * len(environment.storage.get_node_instances()) / (time.time() - begin))
"""


def peers(folder: Path) -> str:
    """Return the table of what else runs such things, on 1,000 instances."""
    size, rows = 1_000, []
    with tempfile.TemporaryDirectory() as work:
        rows.append(
            ["cloudify-common 7.0.5, local mode", "nothing", _limited(lambda: _cloudify(folder, Path(work), size))]
        )
        rows.append(["unfurl 1.2.0", "files, at the end", _limited(lambda: _unfurl(folder, Path(work), 300))])
        if shutil.which("terraform"):
            rows.append(
                [
                    "Terraform, `terraform_data`",
                    "a file, anew at each step",
                    _limited(lambda: _terraform(Path(work), 300)),
                ]
            )
    return table(["engine", "persisted", "operations/s"], rows)


def _limited(measure: Any) -> str:
    try:
        return f"{measure():,.0f}"
    except subprocess.TimeoutExpired:
        return "not within its time"


def _cloudify(folder: Path, work: Path, size: int) -> float:
    python = installed(folder / "cloudify-common", "cloudify-common==7.0.5 networkx pyyaml")
    (work / "noplugin.py").write_text(
        "from cloudify import ctx\ndef run(**_):\n"
        "    ctx.instance.runtime_properties.update(ctx.node.properties['values'])\n"
    )
    lines = [
        "tosca_definitions_version: cloudify_dsl_1_3",
        "plugins:\n  p: {executor: central_deployment_agent, install: false}",
        "workflows: {install: default_workflows.cloudify.plugins.workflows.install}",
        "node_types:\n  step:\n    properties: {values: {default: {}}}\n    interfaces:",
        "      cloudify.interfaces.lifecycle: {create: p.noplugin.run, start: p.noplugin.run}",
        "node_templates:",
    ]
    lines.insert(2, "  default_workflows: {executor: central_deployment_agent, install: false}")
    text = "{" + ", ".join(f"text_{each}: {'x' * 95}" for each in range(10)) + "}"
    for number in range(size // WIDTH):
        lines += [f"  n{number}:\n    type: step\n    properties: {{values: {text}}}"]
        lines += [f"    capabilities: {{scalable: {{properties: {{default_instances: {WIDTH}}}}}}}"]
    file = work / "cloudify.yaml"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run([python, "-c", LOCAL, str(file), str(work)], capture_output=True, timeout=300, check=True)
    return float(done.stdout.split()[-1])


def _unfurl(folder: Path, work: Path, size: int) -> float:
    """Time nodes whose create and start fill in a template with nothing in it; start of the command included."""
    python = installed(folder / "unfurl", "unfurl==1.2.0")
    place = work / "unfurl"
    place.mkdir()
    lines = ["apiVersion: unfurl/v1alpha1", "kind: Ensemble", "spec:\n  service_template:\n    topology_template:"]
    lines += ["      node_templates:"]
    for number in range(size):
        lines += [f"        n{number}:\n          type: tosca.nodes.Root\n          interfaces:\n            Standard:"]
        lines += ["              operations: {create: {implementation: Template}, start: {implementation: Template}}"]
        if number >= WIDTH:
            lines += [f"          requirements: [{{dependency: n{number - WIDTH}}}]"]
    (place / "ensemble.yaml").write_text("\n".join(lines) + "\n")
    subprocess.run(["git", "init", "-q", "."], cwd=place, check=True)
    command = [str(Path(python).with_name("unfurl")), "--home", "", "deploy", "--approve", "ensemble.yaml"]
    begin = time.time()
    subprocess.run(command, cwd=place, capture_output=True, timeout=120, check=True)
    return 2 * size / (time.time() - begin)


def _terraform(work: Path, size: int) -> float:
    place = work / "terraform"
    place.mkdir()
    lines = [
        f'resource "terraform_data" "n{number}" {{\n  input = "{"x" * 950}"\n'
        + (f"  depends_on = [terraform_data.n{number - WIDTH}]\n" if number >= WIDTH else "")
        + "}"
        for number in range(size)
    ]
    (place / "main.tf").write_text("\n".join(lines))
    subprocess.run(["terraform", "init", "-no-color"], cwd=place, capture_output=True, check=True)
    begin = time.time()
    command = ["terraform", "apply", "-auto-approve", "-no-color", "-parallelism=32"]
    subprocess.run(command, cwd=place, capture_output=True, timeout=300, check=True)
    return size / (time.time() - begin)


def write(text: str) -> None:
    """Put the tables between their marks in docs/benchmarks.md."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", metavar="INSTANCES", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--slow", type=int, default=4, metavar="MS", help="second table: added to each sync")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="time others, installed into FOLDER")
    given = parser.parse_args()
    parts = [f"Processors: {os.cpu_count()}; load when it began: {os.getloadavg()[0]:.1f}."]
    parts += [rates(given.sizes, 0), alone(given.sizes[-1])]
    parts += [f"With {given.slow} ms added to each sync:", rates([min(10_000, *given.sizes)], given.slow)]
    if given.peers:
        parts.append(peers(given.peers))
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        write(text)


if __name__ == "__main__":
    main()
