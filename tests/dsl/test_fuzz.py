"""No text, however broken, gives a traceback: it gives a blueprint, or faults that can be shown.

The texts are our own blueprints with lines deleted, moved and spoilt; `GROUNDPLAN_FUZZ=100000` tries that many.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplan.diagnostics.render import render, to_json
from groundplan.diagnostics.report import Report
from groundplan.dsl.compile import compile as compile_blueprint
from groundplan.dsl.folder import MemoryFolder, SourceFile
from groundplan.model.blueprint import from_plan, to_plan

from .writing import SHELF

ROUNDS = int(os.environ.get("GROUNDPLAN_FUZZ", "2000"))
BATCHES = 20
FILES = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "corpus").glob("*/*.yaml"))]
SPOILERS = [
    *(
        b"{}",
        b"[]",
        b"null",
        b"-1",
        b"1e400",
        b"0x",
        b"1:2",
        b".inf",
        b"true",
        b"9" * 5000,
        b"'",
        b'"',
        b"|",
        b">",
        b"?",
    ),
    *(
        b"[a, b]",
        b"{a: b}",
        b"{get_input: x}",
        b"{concat: [a]}",
        b"{get_property: [SELF, a]}",
        b"{get_secret: [a, {}]}",
    ),
    *(
        b"*a",
        b"&a x",
        b"<<: {a: 1}",
        b": ",
        b"- ",
        b"  ",
        b"\n",
        b"---\n",
        b"...\n",
        b"!!str ",
        b"!!int ",
        b"--",
        b"''",
    ),
    *(
        b"\x00",
        b"\xff",
        "é".encode(),
        "\u2028".encode(),
        b"cloudify.nodes.Root",
        b"plugin:shelf",
        b"net--blueprint:vpc",
    ),
]


def spoilt(dice: random.Random) -> bytes:
    lines = dice.choice(FILES).split(b"\n")
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(lines))
        line = lines[at]
        cut = dice.randint(0, len(line))
        lines[at : at + 1] = dice.choice(
            [
                [],
                [line, dice.choice(lines)],
                [line[:cut] + dice.choice(SPOILERS) + line[cut:]],
                [line.partition(b":")[0] + b": " + dice.choice(SPOILERS)],
                [line[: len(line) - len(line.lstrip())] + dice.choice(dice.choice(FILES).split(b"\n")).lstrip()],
            ]
        ) or [b""]
    return b"\n".join(lines)


def texts(batch: int) -> Iterator[bytes]:
    dice = random.Random(batch)
    return (spoilt(dice) for _ in range(ROUNDS // BATCHES))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_spoilt_text_is_compiled_or_refused_in_words(batch: int) -> None:
    for text in texts(batch):
        report = Report()
        found = compile_blueprint(SourceFile(MemoryFolder({"blueprint.yaml": text}), "blueprint.yaml"), SHELF, report)
        assert (found is None) == report.has_errors
        assert bool(render(report)) == bool(report.diagnostics)
        json.dumps(to_json(report))
        if found is not None:
            plan = json.loads(json.dumps(to_plan(found)))
            assert to_plan(from_plan(plan)) == plan
