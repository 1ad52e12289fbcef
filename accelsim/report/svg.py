"""SVG by hand: rectangles, texts, smooth lines and arrow heads as strings, numbers always written the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

SIZE = 12  # of text, in pixels
FONT = "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\""
Place = tuple[float, float]


def number(value: float) -> str:
    """One digit after the point, none where it is 0.

    >>> number(12.04), number(0.25)
    ('12', '0.2')
    """
    return f"{value:.1f}".removesuffix(".0")


def document(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A whole picture on white."""
    wide, tall = number(width), number(height)
    size = f'width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}"'
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" xml:space="preserve" {FONT} font-size="{SIZE}">'
    )
    sheet = f'<rect width="{wide}" height="{tall}" fill="white"/>'
    return "\n".join([opening, f"<title>{escape(title)}</title>", sheet, *parts, "</svg>", ""])


def moved(parts: Iterable[str], x: float, y: float) -> str:
    return "\n".join([f'<g transform="translate({number(x)} {number(y)})">', *parts, "</g>"])


def text(place: Place, words: str, colour: str, *, bold: bool = False, size: int = SIZE, anchor: str = "start") -> str:
    """Text on its base line, with a white halo where it is not in a box."""
    extra = ' font-weight="bold"' if bold else ""
    extra += f' font-size="{size}"' if size != SIZE else ""
    extra += f' text-anchor="{anchor}"' if anchor != "start" else ""
    extra += ' stroke="white" stroke-width="3" paint-order="stroke"' if size < SIZE else ""
    x, y = place
    return f'<text x="{number(x)}" y="{number(y)}" fill="{colour}"{extra}>{escape(words, quote=False)}</text>'


def box(place: Place, width: float, height: float, colour: str, stroke: float = 1.5) -> str:
    """A rounded box in a light shade of its colour; nothing behind it shows through."""
    x, y = place
    shape = f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" rx="5"'
    paint = f'fill="{colour}" fill-opacity="0.12" stroke="{colour}" stroke-width="{number(stroke)}"'
    return f'{shape} fill="white"/>\n{shape} {paint}/>'


def line(path: str, colour: str, dash: str = "", width: float = 1.4) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{number(width)}"{dashes}/>'


def smooth(places: Sequence[Place]) -> str:
    """The path through the places, upright at each."""
    (x, y), *rest = places
    path = f"M{number(x)} {number(y)}"
    for to_x, to_y in rest:
        if (to_x, to_y) != (x, y):
            middle = number((y + to_y) / 2)
            path += f"C{number(x)} {middle} {number(to_x)} {middle} {number(to_x)} {number(to_y)}"
        x, y = to_x, to_y
    return path


def head(place: Place, colour: str, turn: int = 0) -> str:
    """The head of an arrow that points down, turned clockwise by degrees about its tip."""
    x, y = (number(part) for part in place)
    turned = f' transform="rotate({turn} {x} {y})"' if turn else ""
    return f'<path d="M{x} {y}l-4 -8h8z" fill="{colour}"{turned}/>'
