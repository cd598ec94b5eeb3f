"""Makes the README's picture from a recorded run: the progress tree when it was busiest, and as it ended.

Record a terminal, then draw: `script -qec 'make demo' run.typescript && python docs/tutorial/picture.py run.typescript
docs/tutorial/run.svg`. Nothing in the picture is written by hand.
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

REDRAWN = re.compile(r"\r?\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
"""What Rich sends before it draws a live view again: erase each line of the last one."""
COMMAND = "groundplan executions start install"
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rich's picture would load its font from the network; the reader's own monospaced font does."""


def frames(recording: str) -> list[str]:
    """The views of the progress tree, in order, and what follows the last up to the closing line."""
    run = recording[recording.index(COMMAND) :].replace("\r\n", "\n")
    drawn = [frame for frame in REDRAWN.split(run) if frame.startswith(("\x1b[1minstall", "install"))]
    drawn[-1] = drawn[-1].partition("Finished")[0]
    return [frame.replace("\x1b[?25h", "").rstrip("\n") for frame in drawn]


def busiest(views: list[str]) -> str:
    """The view with most lines: most deployments with something to tell."""
    return max(views[:-1], key=lambda view: view.count("\n"))


def closing(recording: str) -> str:
    """The line that ends the run."""
    return next(line.strip() for line in recording.splitlines() if "Finished: install" in line).removeprefix(
        "\x1b[?25h"
    )


def draw(recording: str) -> str:
    """The picture as SVG."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    command = next(line.strip() for line in recording.splitlines() if line.startswith(f"$ {COMMAND}"))
    views = frames(recording)
    for part in (command, busiest(views), "", "...", "", views[-1], closing(recording)):
        console.print(Text.from_ansi(part), soft_wrap=True)
    return FONTS.sub("", console.export_svg(title="groundplan", unique_id="run"))


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(Path(sys.argv[1]).read_text(encoding="utf-8")), encoding="utf-8")
