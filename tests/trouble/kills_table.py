"""The table of the nightly kills: the part of one store is written between its marks in a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .killing import Tally, Victim

_HEAD: Final = (
    "| killed | moments | in mid-run | operations in flight | second attempts | committed ones run again | lost |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


def write_table(page: Path, store: str, tallies: Mapping[Victim, Tally], seed: int) -> None:
    """Put the figures of a store between its marks."""
    begin, end = f"<!-- begin: kills on {store} -->", f"<!-- end: kills on {store} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    assert found, f"{page} has no {begin}"
    assert closed, f"{page} has no {end}"
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    rows = [_row(f"{victim}", tally) for victim, tally in tallies.items()] + [_row("**all**", total)]
    text = f"{store}, seed {seed}:\n\n{_HEAD}\n" + "\n".join(rows)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _row(name: str, tally: Tally) -> str:
    numbers = (tally.moments, tally.mid_run, tally.in_flight, tally.second_attempts, tally.again, tally.lost)
    return f"| {name} | {' | '.join(map(str, numbers))} |"
