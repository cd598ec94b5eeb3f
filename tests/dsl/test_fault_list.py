"""docs/errors.md lists every kind of fault, and every kind can be provoked.

`GROUNDPLAN_GOLDENS=write` writes the page anew.
"""

import os
import re
from pathlib import Path

from groundplan.dsl.faults import FAULTS

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "errors.md"
HEAD = """\
# Faults in blueprints
Every fault that reading a blueprint can tell has a code and constant words, so that both can be searched for. An error
forbids using the blueprint, a warning does not. Each entry says what the fault means and what to do.
"""


def listed() -> str:
    entries = [f"## `{fault.code}`: {fault.summary}\n*{fault.severity}* · {fault.explanation}\n" for fault in FAULTS]
    return "\n".join([HEAD, *entries])


def test_the_page_lists_every_fault() -> None:
    if os.environ.get("GROUNDPLAN_GOLDENS") == "write":
        PAGE.write_text(listed(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == listed()


def test_codes_and_summaries_are_unique() -> None:
    assert len({fault.code for fault in FAULTS}) == len(FAULTS)
    assert len({fault.summary for fault in FAULTS}) == len(FAULTS)


def test_every_fault_has_an_example() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "corpus").rglob("*.txt"))
    told = set(re.findall(r"\[([a-z0-9-]+)\]$", shown, re.MULTILINE))
    assert {fault.code for fault in FAULTS} - told == set()
