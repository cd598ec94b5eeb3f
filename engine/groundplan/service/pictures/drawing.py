"""Paints a picture as SVG or PNG with matplotlib, which brings its font along: no program of the machine is needed."""

from io import BytesIO, StringIO
from itertools import pairwise
from typing import Final

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from groundplan.service.pictures.colours import COLOURS, Colour
from groundplan.service.pictures.layout import Layout, Point, Size, arrange
from groundplan.service.pictures.picture import Arrow, Box, Kind, Picture, Stroke, walk

MOST_BOXES: Final = 2_000
_POINTS_PER_INCH: Final = 72.0
_DOTS_PER_INCH: Final = 144
_TITLE, _SUBTITLE, _HEADING = (
    FontProperties(family="DejaVu Sans", size=size, weight=weight)
    for size, weight in ((11.5, "bold"), (9.0, "normal"), (15.0, "bold"))
)
_INK: Final = "#475569"
_DARK: Final = "#0f172a"
_LINES: Final = {
    Stroke.DEPENDS: (_INK, "solid"),
    Stroke.CONNECTED: ("#2563eb", (0, (5, 3))),
    Stroke.OTHER: ("#9333ea", (0, (2, 2))),
    Stroke.CONTAINED: (_INK, "solid"),
    Stroke.WAITS: (_INK, "solid"),
}
_HEAD: Final = 46.0
_FOOT: Final = 40.0


class TooLarge(Exception):
    """The picture has more boxes than anybody could read."""


def draw(picture: Picture, form: str) -> bytes:
    """Return a picture as `svg` or `png`.

    Raises:
        TooLarge: it has more than `MOST_BOXES` boxes.
    """
    boxes = list(walk(picture.boxes))
    if len(boxes) > MOST_BOXES:
        raise TooLarge(f"The picture has {len(boxes):,} boxes; at most {MOST_BOXES:,} are drawn.")
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "groundplan", "font.family": "DejaVu Sans"}):
        figure = _Painter(picture, arrange(picture, _measure)).figure()
        if form == "svg":
            text = StringIO()
            figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "Groundplan", "Title": picture.title})
            return text.getvalue().encode()
        content = BytesIO()
        figure.savefig(content, format="png", dpi=_DOTS_PER_INCH, metadata={"Title": picture.title})
        return content.getvalue()


def _measure(box: Box) -> Size:
    width = max(_width(box.title, _TITLE), _width(box.subtitle, _SUBTITLE))
    return Size(max(width + 34, 120), 46)


def _width(text: str, font: FontProperties) -> float:
    return float(TextPath((0, 0), text or " ", prop=font).get_extents().width)


class _Painter:
    """One picture on its way to paper; y counts upwards there."""

    def __init__(self, picture: Picture, layout: Layout) -> None:
        self._picture = picture
        self._layout = layout
        legend = self._legend()
        self._width = max(
            layout.size.width, _width(picture.title, _HEADING) + 52, sum(width for *_, width in legend) + 52
        )
        self._height = layout.size.height + _HEAD + _FOOT
        self._figure = Figure(figsize=(self._width / _POINTS_PER_INCH, self._height / _POINTS_PER_INCH))
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_xlim(0, self._width)
        self._axes.set_ylim(0, self._height)
        self._axes.axis("off")
        self._left = (self._width - layout.size.width) / 2

    def figure(self) -> Figure:
        """Return the painted figure."""
        self._axes.text(26, self._height - 34, self._picture.title, fontproperties=_HEADING, color=_DARK)
        self._boxes(self._picture.boxes, 0)
        for arrow, route in self._layout.routes:
            self._arrow(arrow, [self._point(each) for each in route])
        self._paint_legend()
        return self._figure

    def _point(self, point: Point) -> Point:
        return self._left + point[0], self._height - _HEAD - point[1]

    def _boxes(self, boxes: tuple[Box, ...], depth: int) -> None:
        for box in boxes:
            self._box(box, depth)
            self._boxes(box.boxes, depth + 1)

    def _box(self, box: Box, depth: int) -> None:
        place, colour = self._layout.rectangles[box.id], COLOURS[box.kind]
        x, top = self._point((place.x, place.y))
        is_frame = bool(box.boxes)
        ground = _pale(colour, depth) if is_frame else colour.fill
        self._axes.add_patch(
            FancyBboxPatch(
                (x + 6, top - place.height + 6),
                place.width - 12,
                place.height - 12,
                boxstyle="round,pad=6,rounding_size=8",
                facecolor=ground,
                edgecolor=colour.line,
                linewidth=1.3,
                zorder=1 + depth,
            )
        )
        # A frame's name stands to the left and hides what runs behind it: arrows of boxes inside leave through the top.
        text_x, side = (x + 15, "left") if is_frame else (x + place.width / 2, "center")
        behind = {"facecolor": ground, "edgecolor": "none", "pad": 1.0} if is_frame else None
        for text, font, down in ((box.title, _TITLE, 19), (box.subtitle, _SUBTITLE, 34)):
            self._axes.text(
                text_x,
                top - down,
                text,
                fontproperties=font,
                color=colour.text,
                ha=side,
                va="center",
                zorder=20,
                bbox=behind,
            )

    def _arrow(self, arrow: Arrow, points: list[Point]) -> None:
        colour, style = _LINES[arrow.stroke]
        self._axes.add_patch(
            FancyArrowPatch(
                path=_curve(points),
                arrowstyle="-|>",
                mutation_scale=11,
                color=colour,
                linestyle=style,
                linewidth=1.3,
                shrinkA=0,
                shrinkB=0,
                zorder=15,
                joinstyle="round",
            )
        )
        if arrow.label:
            (x1, y1), (x2, y2) = points[:2]
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            self._axes.text(
                x, y, arrow.label, fontproperties=_SUBTITLE, color=colour, ha="center", va="center", zorder=21,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0},
            )  # fmt: skip

    def _legend(self) -> list[tuple[str, Colour | None, Stroke | None, float]]:
        """Return what the picture uses: words, the colour or line they explain, and the width that they take."""
        kinds = {box.kind for box in walk(self._picture.boxes)}
        strokes = {arrow.stroke for arrow in self._picture.arrows}
        found: list[tuple[str, Colour | None, Stroke | None, float]] = [
            (kind.value, COLOURS[kind], None, _width(kind.value, _SUBTITLE) + 38) for kind in Kind if kind in kinds
        ]
        return found + [
            (stroke.value, None, stroke, _width(stroke.value, _SUBTITLE) + 50) for stroke in Stroke if stroke in strokes
        ]

    def _paint_legend(self) -> None:
        x, y = 26.0, 22.0
        for words, colour, stroke, width in self._legend():
            if colour is not None:
                self._axes.add_patch(
                    FancyBboxPatch(
                        (x + 2, y - 3), 10, 6, boxstyle="round,pad=2", facecolor=colour.fill, edgecolor=colour.line
                    )
                )
                text_x = x + 20
            elif stroke is not None:
                line, style = _LINES[stroke]
                self._axes.plot([x, x + 26], [y, y], color=line, linestyle=style, linewidth=1.4)
                text_x = x + 32
            self._axes.text(text_x, y, words, fontproperties=_SUBTITLE, color=_INK, va="center")
            x += width


def _curve(points: list[Point]) -> Path:
    """Return a smooth way through points that leaves and arrives upright."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for (x1, y1), (x2, y2) in pairwise(points):
        bend = (y2 - y1) / 2
        vertices += [(x1, y1 + bend), (x2, y2 - bend), (x2, y2)]
        codes += [Path.CURVE4] * 3
    return Path(vertices, codes)


def _pale(colour: Colour, depth: int) -> str:
    """Return a frame's ground: the box's colour, much lighter, and lighter still for the outer ones."""
    share = 0.35 + 0.1 * min(depth, 3)
    parts = (int(colour.fill[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * share):02x}" for part in parts)
