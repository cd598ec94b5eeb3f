"""Where each box and each arrow of a picture goes, in points; x to the right, y down.

Each container is arranged by itself: rows from `layering`, boxes as near to their neighbours as their widths allow,
parts that no arrow joins side by side. `drawing` paints what comes out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from groundplan.service.pictures.layering import Edge, Rows, in_rows, is_held
from groundplan.service.pictures.picture import Arrow, Box, Picture

GAP: Final = 28.0
ROW_GAP: Final = 54.0
PADDING: Final = 18.0
MARGIN: Final = 26.0
_HELD: Final = 4.0
_HELD_GAP: Final = 9.0
_ROUNDS: Final = 10
_ASPECT: Final = 1.7

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in points."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A box's place: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, x: float, y: float) -> "Rectangle":
        """Return it further right and down."""
        return Rectangle(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture's coordinates.

    Attributes:
        routes: the points of each arrow from its lower end, in the order of the picture's arrows.
    """

    size: Size
    rectangles: Mapping[str, Rectangle]
    routes: Sequence[tuple[Arrow, tuple[Point, ...]]]


@dataclass(slots=True)
class _Part:
    """Some boxes arranged, its corner at 0, 0."""

    size: Size
    rectangles: dict[str, Rectangle] = field(default_factory=dict)
    passing: dict[Edge, tuple[Point, ...]] = field(default_factory=dict)

    def lay(self, other: "_Part", x: float, y: float) -> None:
        """Take over what another part holds, moved."""
        self.rectangles |= {name: found.moved(x, y) for name, found in other.rectangles.items()}
        self.passing |= {edge: tuple((px + x, py + y) for px, py in way) for edge, way in other.passing.items()}


def arrange(picture: Picture, measure: Callable[[Box], Size]) -> Layout:
    """Return where everything goes.

    Args:
        measure: the size that a box's own texts need.
    """
    chains = dict(_chains(picture.boxes, ()))
    drawn = [each for each in picture.arrows if each.source in chains and each.target in chains]
    edges: dict[str, list[Edge]] = {}
    lifted: list[tuple[Arrow, Edge | None]] = []
    for arrow in drawn:
        parent, edge = _lift(chains[arrow.source], chains[arrow.target])
        lifted.append((arrow, edge))
        if edge is not None:
            edges.setdefault(parent, []).append(edge)
    whole = _arranged(picture.boxes, "", edges, measure)
    size = Size(whole.size.width + 2 * MARGIN, whole.size.height + 2 * MARGIN)
    placed = _Part(size)
    placed.lay(whole, MARGIN, MARGIN)
    return Layout(size, placed.rectangles, list(zip(drawn, _routes(lifted, placed), strict=True)))


def _chains(boxes: Iterable[Box], outer: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for box in boxes:
        yield box.id, (*outer, box.id)
        yield from _chains(box.boxes, (*outer, box.id))


def _lift(source: tuple[str, ...], target: tuple[str, ...]) -> tuple[str, Edge | None]:
    """Return the container that holds both ends, and its boxes that they are in; None for a box and its container."""
    parent = ""
    for one, other in zip(source, target, strict=False):
        if one != other:
            return parent, (one, other)
        parent = one
    return parent, None


def _arranged(
    boxes: Sequence[Box], parent: str, edges: Mapping[str, list[Edge]], measure: Callable[[Box], Size]
) -> _Part:
    inner = {box.id: _framed(box, edges, measure) for box in boxes}
    own = edges.get(parent, [])
    parts = [_joined(names, [edge for edge in own if edge[0] in names], inner) for names in _joined_names(inner, own)]
    return _packed(parts)


def _framed(box: Box, edges: Mapping[str, list[Edge]], measure: Callable[[Box], Size]) -> _Part:
    label = measure(box)
    if not box.boxes:
        return _Part(label, {box.id: Rectangle(0, 0, label.width, label.height)})
    content = _arranged(box.boxes, box.id, edges, measure)
    width = max(label.width, content.size.width + 2 * PADDING)
    size = Size(width, label.height + content.size.height + PADDING)
    framed = _Part(size, {box.id: Rectangle(0, 0, size.width, size.height)})
    framed.lay(content, (width - content.size.width) / 2, label.height)
    return framed


def _joined_names(names: Iterable[str], edges: Iterable[Edge]) -> list[list[str]]:
    """Return the names in groups that arrows join."""
    group = {name: [name] for name in names}
    for one, other in edges:
        if group[one] is not group[other]:
            group[one].extend(group[other])
            for name in group[other]:
                group[name] = group[one]
    unique = {id(found): found for found in group.values()}
    order = {name: index for index, name in enumerate(group)}
    return [sorted(found, key=order.__getitem__) for found in unique.values()]


def _joined(names: Sequence[str], edges: Sequence[Edge], inner: Mapping[str, _Part]) -> _Part:
    rows = in_rows(names, edges)
    widths = {name: inner[name].size.width if name in inner else _HELD for row in rows.rows for name in row}
    centres = _centres(rows, widths)
    left = min(centres[name] - width / 2 for name, width in widths.items())
    right = max(centres[name] + width / 2 for name, width in widths.items())
    part = _Part(Size(right - left, 0))
    held: dict[str, Point] = {}
    y = 0.0
    for row in rows.rows:
        height = max((inner[name].size.height for name in row if name in inner), default=0.0)
        for name in row:
            x = centres[name] - left
            if name in inner:
                part.lay(inner[name], x - widths[name] / 2, y + (height - inner[name].size.height) / 2)
            else:
                held[name] = (x, y + height / 2)
        y += height + ROW_GAP
    part.size = Size(right - left, y - ROW_GAP)
    part.passing |= {edge: tuple(held[place] for place in places) for edge, places in rows.passing.items()}
    return part


def _centres(rows: Rows, widths: Mapping[str, float]) -> dict[str, float]:
    """Return each name's x: as near to the mean of its neighbours as the row's order and widths allow."""
    centres: dict[str, float] = {}
    for row in rows.rows:
        centres |= _spread(row, [0.0] * len(row), widths)
    for turn in range(_ROUNDS):
        last = turn == _ROUNDS - 1
        for row in rows.rows if turn % 2 == 0 else reversed(rows.rows):
            wanted = []
            for name in row:
                upper, lower = rows.above.get(name, []), rows.below.get(name, [])
                near = [*upper, *lower] if last else (upper if turn % 2 == 0 else lower) or [*upper, *lower]
                wanted.append(sum(centres[each] for each in near) / len(near) if near else centres[name])
            centres |= _spread(row, wanted, widths)
    return centres


def _spread(row: Sequence[str], wanted: Sequence[float], widths: Mapping[str, float]) -> dict[str, float]:
    """Return places in order, without overlaps, whose squared distances to the wanted ones are least.

    What is left of each wanted place when the room for those before is taken away must not fall: pool adjacent
    violators.
    """
    offsets, offset = [], 0.0
    for index, name in enumerate(row):
        if index:
            offset += (widths[row[index - 1]] + widths[name]) / 2 + _gap(row[index - 1], name)
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for place, before in zip(wanted, offsets, strict=True):
        total, count = place - before, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            earlier, members = pools.pop()
            total, count = total + earlier, count + members
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return {name: level + before for name, level, before in zip(row, levels, offsets, strict=True)}


def _gap(one: str, other: str) -> float:
    """Return the room between two neighbours in a row: places held for arrows need little."""
    return _HELD_GAP if is_held(one) or is_held(other) else GAP


def _packed(parts: Sequence[_Part]) -> _Part:
    """Lay parts in lines, the tallest first, about as wide as a screen is to its height."""
    area = sum((part.size.width + GAP) * (part.size.height + GAP) for part in parts)
    limit = max([*(part.size.width for part in parts), (area * _ASPECT) ** 0.5])
    whole = _Part(Size(0, 0))
    x = y = line_height = width = 0.0
    for part in sorted(parts, key=lambda each: -each.size.height):
        if x and x + part.size.width > limit:
            x, y, line_height = 0.0, y + line_height + GAP, 0.0
        whole.lay(part, x, y)
        width = max(width, x + part.size.width)
        x += part.size.width + GAP
        line_height = max(line_height, part.size.height)
    whole.size = Size(width, y + line_height)
    return whole


def _routes(lifted: Sequence[tuple[Arrow, Edge | None]], placed: _Part) -> Iterator[tuple[Point, ...]]:
    """Yield the points of each arrow; the ends on one side of a box are spread over it in the order of their goals."""
    ways = [placed.passing.get(edge, ()) if edge is not None else () for _, edge in lifted]
    ends: dict[tuple[str, bool], list[tuple[float, int]]] = {}
    downward = []
    for index, (arrow, _) in enumerate(lifted):
        source, target = placed.rectangles[arrow.source], placed.rectangles[arrow.target]
        down = source.y + source.height / 2 < target.y + target.height / 2
        downward.append(down)
        first, last = (ways[index][0], ways[index][-1]) if ways[index] else (_middle(target), _middle(source))
        ends.setdefault((arrow.source, not down), []).append((first[0], index))
        ends.setdefault((arrow.target, down), []).append((last[0], index))
    spots = {
        (name, index): _spot(placed.rectangles[name], on_top, order, len(found))
        for (name, on_top), found in ends.items()
        for order, (_, index) in enumerate(sorted(found))
    }
    for index, (arrow, edge) in enumerate(lifted):
        start, end = spots[arrow.source, index], spots[arrow.target, index]
        if edge is None:
            end = (start[0], placed.rectangles[arrow.target].y)
        yield (start, *ways[index], end)


def _middle(found: Rectangle) -> Point:
    return found.x + found.width / 2, found.y + found.height / 2


def _spot(found: Rectangle, on_top: bool, order: int, count: int) -> Point:
    used = found.width * 0.6 if count > 1 else 0.0
    x = found.x + (found.width - used) / 2 + (used * order / (count - 1) if count > 1 else 0.0)
    return x, found.y if on_top else found.y + found.height
