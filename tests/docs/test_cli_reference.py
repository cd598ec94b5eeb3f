"""docs/reference/cli.md is what its writer makes of the commands as they are now."""

import runpy
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_is_what_the_commands_say() -> None:
    written = runpy.run_path(str(REFERENCE / "write_cli.py"))["page"]()
    assert (REFERENCE / "cli.md").read_text() == written, "run: make docs"
