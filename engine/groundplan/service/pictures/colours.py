"""The colours of pictures, by what a box stands for: one table for every form that a picture takes."""

from dataclasses import dataclass
from typing import Final

from groundplan.service.pictures.picture import Kind


@dataclass(frozen=True, slots=True)
class Colour:
    """Colours of a box as `#rrggbb`; the text is readable on the fill (contrast of 7 and more)."""

    fill: str
    line: str
    text: str


COLOURS: Final = {
    Kind.COMPONENT: Colour("#ede9fe", "#7c3aed", "#3b0f86"),
    Kind.HOST: Colour("#dbeafe", "#2563eb", "#12337a"),
    Kind.NETWORK: Colour("#ccfbf1", "#0d9488", "#0b4a44"),
    Kind.STORAGE: Colour("#fef3c7", "#d97706", "#6b3a02"),
    Kind.DATABASE: Colour("#ffe4e6", "#e11d48", "#7d0f2a"),
    Kind.WORKLOAD: Colour("#e0f2fe", "#0284c7", "#0a4063"),
    Kind.SOFTWARE: Colour("#dcfce7", "#16a34a", "#0d4d25"),
    Kind.OTHER: Colour("#f1f5f9", "#64748b", "#1e293b"),
    Kind.DONE: Colour("#dcfce7", "#16a34a", "#0d4d25"),
    Kind.RUNNING: Colour("#dbeafe", "#2563eb", "#12337a"),
    Kind.WAITING: Colour("#fef3c7", "#d97706", "#6b3a02"),
    Kind.FAILED: Colour("#ffe4e6", "#e11d48", "#7d0f2a"),
    Kind.PENDING: Colour("#f1f5f9", "#64748b", "#1e293b"),
}
