"""The legend of a picture: a white strip with colours and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

__all__ = ["Entry", "Font", "draw_legend", "load_font", "wrap"]

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_INK = (32, 32, 32)
_PAPER = (255, 255, 255)

_LINE_WIDTH = 18
"""Names wider than so many times the font size are wrapped."""


@dataclass(frozen=True)
class Entry:
    """One line of a legend; no colour draws an empty frame, "" no frame at all."""

    text: str
    colour: str | None = None


@lru_cache(maxsize=16)
def load_font(size: int) -> Font:
    """DejaVu Sans where it is installed (it has Greek and Cyrillic), else Pillow's own.

    Parameters
    ----------
    size : int
        In pixels.
    """
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def _width(text: str, font: Font) -> int:
    left, _, right, _ = font.getbbox(text)
    return int(max(right, right - left)) + 1


def wrap(text: str, font: Font, width: int) -> list[str]:
    """Break a text into lines of at most ``width`` pixels; no letter is lost.

    Words are kept together where they fit into a line.
    """
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if _width(longer, font) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _break(word, font, width)
        lines += full
    return [*lines, line]


def _break(word: str, font: Font, width: int) -> list[str]:
    """Cut a word into pieces that fit, each at least one letter."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and _width(pieces[-1] + letter, font) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


@dataclass(frozen=True)
class _Block:
    """An entry with its lines and size."""

    entry: Entry
    lines: list[str]
    width: int
    height: int


def _columns(blocks: Sequence[_Block], height: int) -> list[list[_Block]]:
    """Fill columns from the top; a block higher than a column has one to itself."""
    columns: list[list[_Block]] = [[]]
    used = 0
    for block in blocks:
        if columns[-1] and used + block.height > height:
            columns.append([])
            used = 0
        columns[-1].append(block)
        used += block.height
    return columns


def draw_legend(
    entries: Sequence[Entry], *, size: int, room: tuple[int, int]
) -> Image.Image:
    """Draw a legend for a picture of the given size; it is as wide as it needs to be.

    Parameters
    ----------
    entries : sequence of Entry
    size : int
        Of the letters, in pixels.
    room : (int, int)
        Height and width of the picture beside which it stands. Columns grow beyond
        that height where the legend would be much wider than the picture otherwise.

    Returns
    -------
    PIL.Image.Image
        RGB on white.
    """
    font = load_font(size)
    line = int(font.getbbox("Ágjy|")[3]) + max(1, size // 6)
    pad = max(2, size // 2)
    indent = size + pad
    blocks = []
    for entry in entries:
        lines = wrap(entry.text, font, _LINE_WIDTH * size)
        width = indent + max(_width(text, font) for text in lines)
        blocks.append(_Block(entry, lines, width, line * len(lines) + size // 4))

    height = max(room[0] - 2 * pad, 10 * line)
    while True:
        columns = _columns(blocks, height)
        widths = [max((b.width for b in column), default=0) for column in columns]
        width = pad + sum(w + 2 * pad for w in widths)
        if len(columns) == 1 or width <= max(room[1], height):
            break
        height += height // 3
    tallest = max(sum(b.height for b in column) for column in columns)

    image = Image.new("RGB", (width, tallest + 2 * pad), _PAPER)
    draw = ImageDraw.Draw(image)
    lefts = [pad]
    for used in widths:
        lefts.append(lefts[-1] + used + 2 * pad)
    for column, (left, _) in zip(columns, pairwise(lefts), strict=True):
        top = pad
        for block in column:
            _draw_swatch(draw, block.entry.colour, left, top + (line - size) // 2, size)
            for row, text in enumerate(block.lines):
                draw.text((left + indent, top + row * line), text, _INK, font)
            top += block.height
    return image


def _draw_swatch(
    draw: ImageDraw.ImageDraw, colour: str | None, left: int, top: int, size: int
) -> None:
    if colour != "":
        box = (left, top, left + size - 1, top + size - 1)
        draw.rectangle(box, fill=colour, outline=_INK, width=max(1, size // 16))
