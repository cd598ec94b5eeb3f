"""How long reading takes, beside the least that it can take: libyaml's tree of the same bytes, cyclic gc off.

Run `python tests/benchmarks/bench_parse.py [NODES ...]` (1000 and 10000 unless told, and 100000, which takes minutes,
with `--write`). Two
blueprints: a thin one (layers of 50 templates of one type, 3 properties and 4 operations, each depending on up to two
of the layer before) and a fat one (40 types 4 deep, 7 properties, half the templates override an operation, anchors
and merges). `--write` puts the tables into docs/benchmarks.md; `--peers FOLDER` makes a virtual environment there and
times cloudify-common's parser and tosca-parser on 100 and 1,000 nodes.
"""

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

WIDTH = 50
RUNS = 5
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- begin: bench_parse -->", "<!-- end: bench_parse -->"
FLOOR = "import gc, sys, yaml; gc.disable(); yaml.compose(open(sys.argv[1]).read(), yaml.CSafeLoader)"
OPERATIONS = ("create", "configure", "start", "stop")
PLUGIN = "plugins:\n  p: {executor: central_deployment_agent, install: false}\n"


def main() -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", metavar="NODES", type=int, nargs="*")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="time other parsers, installed into FOLDER")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep each measurement there, and go on from it")
    given = parser.parse_args()
    if given.keep:
        KEPT.use(given.keep)
    if given.child:
        print(json.dumps(child(given.child[0], Path(given.child[1]))))
        return
    sizes = given.sizes or ([1_000, 10_000, 100_000] if given.write else [1_000, 10_000])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GROUNDPLAN_HOME"] = f"{folder}/home"
        parts = [ratios(sizes, Path(folder)), processes(sizes, Path(folder))]
        if given.peers:
            parts.append(peers(given.peers, Path(folder)))
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        write(text)


class Kept:
    """Measurements by name, in a file when one is given: a run that was cut short goes on where it was."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._found: dict[str, Any] = {}

    def use(self, file: Path) -> None:
        """Keep in a file from now on, and know what it holds."""
        self._file = file
        if file.exists():
            self._found = json.loads(file.read_text(encoding="utf-8"))

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return a measurement, made when it is not kept yet."""
        if name not in self._found:
            self._found[name] = measure()
            if self._file is not None:
                self._file.write_text(json.dumps(self._found, indent=1), encoding="utf-8")
        return self._found[name]


KEPT = Kept()


def thin(size: int) -> Iterator[str]:
    """Yield the lines of a blueprint whose templates are all of one type."""
    yield from head()
    yield "  service:\n    derived_from: base\n    properties:"
    yield "      size: {type: integer, default: 1}\n      name: {type: string}\n      zone: {type: string, default: a}"
    yield from interface("service")
    yield "node_templates:"
    for number in range(size):
        yield f"  node_{number}:\n    type: service\n    properties:"
        yield f"      size: {number}\n      name: service {number}\n      zone: {{get_input: zone}}"
        yield "    interfaces:\n      cloudify.interfaces.lifecycle:"
        for name in OPERATIONS:
            yield f"        {name}:\n          implementation: p.{name}\n          inputs: {{port: {number}}}"
        yield from relationships(number)


def fat(size: int) -> Iterator[str]:
    """Yield the lines of a blueprint of many types, overrides, anchors and merges."""
    yield from head()
    for number in range(40):
        yield f"  type_{number}:\n    derived_from: {'base' if number % 4 == 0 else f'type_{number - 1}'}"
        yield f"    properties:\n      own_{number}: {{type: integer, default: {number}}}"
        if number % 4 == 0:
            yield "      name: {type: string}\n      tags: {type: list, default: []}\n      limits: {default: {}}"
            yield from interface(f"type_{number}")
    yield "dsl_definitions:\n  limits: &limits {cpu: 2, memory: 4096}\n  tags: &tags [red, green]"
    yield "node_templates:"
    for number in range(size):
        kind = number % 40
        yield f"  node_{number}:\n    type: type_{kind}\n    properties:"
        yield f"      name: {{concat: [node, {number}]}}\n      tags: *tags\n      own_{kind}: {number}"
        yield f"      limits:\n        <<: *limits\n        disk: {number}"
        if number % 2:
            yield "    interfaces:\n      cloudify.interfaces.lifecycle:\n        start:"
            yield "          implementation: p.begin\n          max_retries: 2"
            yield f"          inputs: {{name: {{get_property: [SELF, name]}}, port: {number}}}"
        yield from relationships(number)


def head() -> Iterator[str]:
    """Yield what both blueprints begin with."""
    yield "tosca_definitions_version: cloudify_dsl_1_3\ninputs:\n  zone: {type: string, default: a}"
    yield PLUGIN.rstrip()
    yield "relationships:\n  cloudify.relationships.depends_on: {}\nnode_types:\n  base: {}"


def interface(owner: str) -> Iterator[str]:
    """Yield a type's four operations."""
    yield "    interfaces:\n      cloudify.interfaces.lifecycle:"
    for name in OPERATIONS:
        yield f"        {name}:\n          implementation: p.{owner}_{name}\n          inputs: {{name: {{default: x}}}}"


def relationships(number: int) -> Iterator[str]:
    """Yield what a template depends on: up to two of the layer before."""
    targets = {number - WIDTH, number - WIDTH + number % 7 - 3} if number >= WIDTH else set()
    if any(target >= 0 for target in targets):
        yield "    relationships:"
    for target in sorted(target for target in targets if target >= 0):
        yield f"      - {{type: cloudify.relationships.depends_on, target: node_{target}}}"


SHAPES = {"thin": thin, "fat": fat}


def child(what: str, file: Path) -> dict[str, Any]:
    """Measure one blueprint in this process: seconds by stage, and the peak of memory in MB."""
    import yaml

    from groundplan.diagnostics.report import Report
    from groundplan.dsl.compile import compile as compile_blueprint
    from groundplan.dsl.folder import SourceFile
    from groundplan.dsl.imports import NoFetch
    from groundplan.dsl.reader import read
    from groundplan.planning.instances import make_instances
    from groundplan.planning.workflows.install import install

    def compiled() -> Any:
        report = Report()
        found = compile_blueprint(SourceFile.at(file), NoFetch(), report)
        assert found is not None, [found.label for found in report.diagnostics[:3]]
        return found

    def planned(blueprint: Any) -> Any:
        numbers = count()
        instances = make_instances(blueprint, {}, lambda name: f"{name}_{next(numbers):06}")
        return install(blueprint, instances)

    text = file.read_text(encoding="utf-8") if what != "memory" else ""
    stages: dict[str, list[float]] = {"floor": [], "read": [], "compile": [], "plan": []}
    is_large = len(text) > 10_000_000
    if is_large:
        # Not counted: on a virtual machine whoever is first to fill so much memory pays for its coming.
        timed(lambda: bool(yaml.compose(text, yaml.CSafeLoader)), collect=False)
    for _ in range(1 if what == "memory" or is_large else RUNS):
        if what != "memory":
            stages["floor"].append(timed(lambda: bool(yaml.compose(text, yaml.CSafeLoader)), collect=False)[0])
            stages["read"].append(timed(lambda: bool(read(text, "bench", Report())), collect=what == "as-run")[0])
        made, blueprint = timed(compiled, collect=what != "gc-off")
        seconds, plan = timed(partial(planned, blueprint), collect=what != "gc-off")
        stages["plan"].append(seconds)
        held = peak() if plan is not None else 0
        results = [blueprint]
        del blueprint, plan
        let_go, _ = timed(results.clear, collect=what != "gc-off")
        stages["compile"].append(made + let_go)
    return {"megabytes": held, **{name: statistics.median(found) for name, found in stages.items() if found}}


def peak() -> float:
    """Return the most memory in MB that this process had; `ru_maxrss` would count the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def timed(work: Callable[[], Any], *, collect: bool) -> tuple[float, Any]:
    """Return the CPU seconds that some work takes, with or without the cyclic collector, and what comes of it."""
    gc.collect()
    if not collect:
        gc.disable()
    begin = time.process_time()
    result = work()
    spent = time.process_time() - begin
    gc.enable()
    return spent, result


def generated(shape: str, size: int, folder: Path) -> Path:
    """Return the file of a blueprint, written when it is first asked for."""
    file = folder / f"{shape}-{size}" / "blueprint.yaml"
    if not file.exists():
        file.parent.mkdir()
        file.write_text("\n".join(SHAPES[shape](size)) + "\n", encoding="utf-8")
    return file


def measured(what: str, file: Path) -> dict[str, Any]:
    """Measure in a process of its own."""
    return KEPT.once(f"{what} {file.parent.name}", lambda: _measured(what, file))


def _measured(what: str, file: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", what, str(file)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def ratios(sizes: Sequence[int], folder: Path) -> str:
    """Return the table of stages, each as a multiple of the floor in the same process."""
    rows = []
    for shape in SHAPES:
        spent: dict[int, float] = {}
        for size in sizes:
            file = generated(shape, size, folder)
            found = measured("gc-off", file)
            as_run = measured("as-run", file) if size < 100_000 else None
            floor = found["floor"]
            spent[size] = found["compile"] + found["plan"]
            rows.append(
                [
                    shape,
                    f"{size:,}",
                    f"{file.stat().st_size / 1e6:.1f}",
                    f"{floor:.3f}",
                    *(f"{found[stage] / floor:.2f}" for stage in ("read", "compile", "plan")),
                    f"{spent[size] / spent[size // 10]:.1f}" if size // 10 in spent else "",
                    f"{as_run['compile'] / as_run['floor']:.2f}" if as_run is not None else "",
                    f"{measured('memory', file)['megabytes']:.0f}",
                ]
            )
    columns = ["blueprint", "nodes", "MB", "floor, s", "read", "read and checked", "instances and tasks"]
    return table([*columns, "growth per 10x", "read and checked, gc on", "peak, MB"], rows)


def processes(sizes: Sequence[int], folder: Path) -> str:
    """Return the table of whole processes: `blueprints validate` beside one that composes the same file."""
    command = [str(Path(sys.executable).with_name("groundplan")), "blueprints", "validate"]
    rows = []
    for shape in SHAPES:
        for size in (each for each in sizes if each < 100_000):
            file = str(generated(shape, size, folder))
            seconds = KEPT.once(f"process {shape}-{size}", partial(side_by_side, command, file))
            rows.append([shape, f"{size:,}", *(f"{each:.2f}" for each in seconds), f"{seconds[1] / seconds[0]:.2f}"])
    return table(["blueprint", "nodes", "floor process, s", "`validate`, s", "ratio"], rows)


def side_by_side(command: Sequence[str], file: str) -> tuple[float, float]:
    """Return the CPU seconds of the floor's process and of ours, medians of runs that take turns."""
    floor, ours = [], []
    for _ in range(RUNS):
        floor.append(run_time([sys.executable, "-c", FLOOR, file]))
        ours.append(run_time([*command, file]))
    return statistics.median(floor), statistics.median(ours)


def run_time(command: Sequence[str]) -> float:
    """Return the CPU seconds of a child process that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


PEERS = {
    "cloudify-common 7.0.5": (
        "cloudify-common==7.0.5 networkx pyyaml",
        "import sys; from dsl_parser.parser import parse_from_path; assert parse_from_path(sys.argv[1])['nodes']",
    ),
    "tosca-parser": (
        "tosca-parser",
        "import sys; from toscaparser.tosca_template import ToscaTemplate; "
        "assert ToscaTemplate(sys.argv[1]).nodetemplates",
    ),
}


def peers(folder: Path, work: Path) -> str:
    """Return the table of other parsers on blueprints of the same shape."""
    rows = []
    sizes = (100, 1_000)
    for name, (package, program) in PEERS.items():
        python = installed(folder / name.partition(" ")[0], package)
        files = [tosca(size, work) if package == "tosca-parser" else generated("thin", size, work) for size in sizes]
        rows.append(
            [
                name,
                *(
                    KEPT.once(f"{name} {f.stem}{f.parent.name}", partial(limited, [python, "-c", program, str(f)]))
                    for f in files
                ),
            ]
        )
    command = [str(Path(sys.executable).with_name("groundplan")), "blueprints", "validate"]
    rows.append(["Groundplan", *(limited([*command, str(generated("thin", size, work))]) for size in sizes)])
    return table(["parser, whole process", *(f"{size:,} nodes, s" for size in sizes)], rows)


def installed(folder: Path, package: str) -> str:
    """Return the interpreter of a virtual environment that has a package."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *package.split(), "setuptools<81"], check=True)
    return str(python)


def limited(command: Sequence[str]) -> str:
    """Return the CPU seconds of a process, or that it took more than five minutes or failed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return "more than 300"
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        return f"failed: {last[-1][:60] if last else done.returncode}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.2f}"


def tosca(size: int, folder: Path) -> Path:
    """Return a TOSCA template of the thin blueprint's shape."""
    lines = ["tosca_definitions_version: tosca_simple_yaml_1_0", "node_types:", "  base.service:"]
    lines += ["    derived_from: tosca.nodes.Root", "    properties:"]
    lines += ["      size: {type: integer}", "      name: {type: string}", "      zone: {type: string, default: a}"]
    lines += ["topology_template:", "  node_templates:"]
    for number in range(size):
        lines += [f"    node_{number}:", "      type: base.service", "      properties:"]
        lines += [
            f"        size: {number}",
            f"        name: service {number}",
            "      interfaces:",
            "        Standard:",
        ]
        lines += [f"          {name}: {{implementation: {name}.sh, inputs: {{port: {number}}}}}" for name in OPERATIONS]
        targets = {number - WIDTH, number - WIDTH + number % 7 - 3} if number >= WIDTH else set()
        found = sorted(target for target in targets if target >= 0)
        lines += ["      requirements:"] if found else []
        lines += [f"        - dependency: node_{target}" for target in found]
    file = folder / f"tosca-{size}.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(text: str) -> None:
    """Put the tables between their marks in docs/benchmarks.md."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    if BEGIN not in page:
        page = f"{page.rstrip()}\n\n## Reading blueprints\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
