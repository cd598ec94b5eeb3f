"""Writes a picture as Mermaid text, which GitHub, GitLab and many editors draw. Positions are the drawer's business."""

from collections.abc import Iterable, Iterator
from typing import Final

from groundplan.service.pictures.colours import COLOURS
from groundplan.service.pictures.picture import Arrow, Box, Picture, Stroke, walk

_LINES: Final = {Stroke.CONNECTED: "-.->", Stroke.OTHER: "-.->"}
_QUOTED: Final = str.maketrans({'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "\n": " ", "\\": "#92;"})


def to_mermaid(picture: Picture) -> str:
    """Return a flowchart: what others need stands above them."""
    names = {box.id: f"n{number}" for number, box in enumerate(walk(picture.boxes))}
    lines = ["---", f"title: {_title(picture.title)}", "---", "flowchart BT"]
    lines += _boxes(picture.boxes, names, "  ")
    lines += [_arrow(arrow, names) for arrow in picture.arrows if arrow.source in names and arrow.target in names]
    lines += _styles(picture)
    return "\n".join(lines) + "\n"


def _boxes(boxes: Iterable[Box], names: dict[str, str], indent: str) -> Iterator[str]:
    for box in boxes:
        label = f'"<b>{_text(box.title)}</b><br/>{_text(box.subtitle)}"'
        if box.boxes:
            yield f"{indent}subgraph {names[box.id]}[{label}]"
            yield from _boxes(box.boxes, names, indent + "  ")
            yield f"{indent}end"
        else:
            yield f"{indent}{names[box.id]}[{label}]"
        yield f"{indent}class {names[box.id]} {box.kind}"


def _arrow(arrow: Arrow, names: dict[str, str]) -> str:
    line = _LINES.get(arrow.stroke, "-->")
    label = f'|"{_text(arrow.label)}"|' if arrow.label else ""
    return f"  {names[arrow.source]} {line}{label} {names[arrow.target]}"


def _styles(picture: Picture) -> Iterator[str]:
    for kind in sorted({box.kind for box in walk(picture.boxes)}):
        colour = COLOURS[kind]
        yield f"  classDef {kind} fill:{colour.fill},stroke:{colour.line},color:{colour.text}"


def _text(text: str) -> str:
    return text.translate(_QUOTED)


def _title(text: str) -> str:
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"
