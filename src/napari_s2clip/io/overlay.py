"""A picture of a label map over its image, with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..classes import MAX_CLASSES
from .legend import Entry, Font, draw_legend, load_font

if TYPE_CHECKING:
    from ..classes import ClassSet
    from ..results import Segmentation

__all__ = ["Mark", "overlay", "region_marks"]

_SMALLEST = 192
"""Images whose longer side is shorter are enlarged by a whole factor to be seen."""

_MOST_ENTRIES = 100
"""Lines of the longest legend; the classes with the fewest pixels are counted only."""

_MOST_MARKS = 2000


@dataclass(frozen=True)
class Mark:
    """A short text at a point of the image, written only if it fits into a box.

    Attributes
    ----------
    texts : tuple of str
        The first one that fits is written.
    x, y : float
        Its middle, in pixels of the image.
    box : (float, float, float, float)
        x_min, y_min, x_max, y_max of the room, in pixels of the image.
    """

    texts: tuple[str, ...]
    x: float
    y: float
    box: tuple[float, float, float, float]


def region_marks(result: Segmentation) -> tuple[list[Mark], list[str]]:
    """Id and mean probability of each region at its point, and what they mean.

    A star tells the regions that SAM did not refine from those that it did; there is
    none where it was asked about no region.

    Returns
    -------
    marks : list of Mark
        The largest regions come first.
    notes : list of str
        Lines for the legend.
    """
    table = result.region_table.sort_values("area", ascending=False, kind="stable")
    starred = ~table["refined"].astype(bool) & table["sam_score"].notna().any()
    marks = []
    for row, star in zip(table.head(_MOST_MARKS).itertuples(), starred, strict=False):
        end = "*" if star else ""
        name, share = f"#{row.region}", f"{row.mean_probability:.2f}"
        box = (row.x_min, row.y_min, row.x_max, row.y_max)
        texts = (f"{name} {share}{end}", f"{name}{end}")
        marks.append(Mark(texts, row.point_x, row.point_y, box))
    notes = ["# region, mean probability"] if marks else []
    if starred.any():
        notes.append("* not refined by SAM")
    return marks, notes


def overlay(
    image: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    classes: ClassSet,
    *,
    alpha: float = 0.5,
    legend: bool = True,
    boundaries: NDArray[np.integer[Any]] | bool = True,
    marks: Sequence[Mark] = (),
    notes: Sequence[str] = (),
    unlabelled: str = "background",
) -> NDArray[np.uint8]:
    """Draw classes over an image in their colours, with a legend at its right.

    Parameters
    ----------
    image : ndarray of uint8, (H, W, 3)
    labels : ndarray of int, (H, W)
        Label values of ``classes``; 0 leaves the image as it is.
    classes : ClassSet
    alpha : float
        Opacity of the colours, 0 to 1.
    legend : bool
        List the classes that are present, with their label values, on a white strip.
    boundaries : bool or ndarray of int, (H, W)
        Draw outlines in full colour where ``labels``, or the given map, changes.
    marks : sequence of Mark
        Texts on the picture; earlier ones win where two would overlap.
    notes : sequence of str
        Last lines of the legend.
    unlabelled : str
        What the legend calls 0.

    Returns
    -------
    ndarray of uint8, (H', W', 3)
        The image at the top left, larger than given if its longer side has fewer than
        192 pixels; then the legend.

    Raises
    ------
    ValueError
        If image and maps do not fit together, a label has no class, or ``alpha`` is
        not a share.
    """
    edges = labels if boundaries is True else boundaries
    _check(image, labels, classes, alpha, edges)
    height, width = labels.shape
    factor = max(1, -(-_SMALLEST // max(height, width)))
    size = max(12, min(64, max(height, width) * factor // 40))

    present = np.bincount(labels.ravel(), minlength=1)
    table = _colour_table(classes, present)
    shown = _enlarge(labels, factor)
    picture = _blend(_enlarge(image, factor), shown, table, alpha)
    if not isinstance(edges, bool):
        thickness = max(1, max(height, width) * factor // 1000)
        outline = _outline(_enlarge(edges, factor), thickness) & (shown > 0)
        picture[outline] = table[shown[outline]]
    canvas = Image.fromarray(picture)
    if marks:
        _write_marks(canvas, marks, factor, max(10, size * 3 // 4))
    if legend:
        lines = _entries(present, classes, unlabelled)
        strip = draw_legend(
            [*lines, *(Entry(note, "") for note in notes)],
            size=size,
            room=(canvas.height, canvas.width),
        )
        whole = Image.new(
            "RGB",
            (canvas.width + strip.width, max(canvas.height, strip.height)),
            "white",
        )
        whole.paste(canvas, (0, 0))
        whole.paste(strip, (canvas.width, 0))
        canvas = whole
    return np.asarray(canvas)


def _check(
    image: NDArray[Any],
    labels: NDArray[Any],
    classes: ClassSet,
    alpha: float,
    edges: NDArray[Any] | bool,
) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}; use "
            "napari_s2clip.image.to_rgb"
        )
    for name, array in (("labels", labels), ("boundaries", edges)):
        if isinstance(array, bool):
            continue
        if array.shape != image.shape[:2] or array.dtype.kind not in "ui":
            raise ValueError(
                f"{name} must be integers of the image's shape {image.shape[:2]}, got "
                f"{array.dtype} {array.shape}"
            )
    if not labels.size:
        raise ValueError("image is empty; give at least 1 pixel")
    if not 0 <= labels.min() <= labels.max() <= MAX_CLASSES:
        raise ValueError(
            f"labels has values from {labels.min()} to {labels.max()}; give 0 and ids "
            "of the classes"
        )
    values = np.flatnonzero(np.bincount(labels.ravel())).tolist()
    unknown = set(values) - {0, *classes.ids}
    if unknown:
        raise ValueError(f"labels has the value {min(unknown)}, which no class has")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}")


def _enlarge(array: NDArray[Any], factor: int) -> NDArray[Any]:
    """Repeat pixels in both directions."""
    if factor == 1:
        return array
    return array.repeat(factor, 0).repeat(factor, 1)


def _colour_table(classes: ClassSet, present: NDArray[np.intp]) -> NDArray[np.uint8]:
    """RGB by label value, shape (largest value + 1, 3); 0 is not used."""
    table = np.zeros((len(present), 3), np.uint8)
    for value in np.flatnonzero(present[1:]) + 1:
        table[value] = tuple(bytes.fromhex(classes.colour_of(int(value))[1:]))
    return table


def _blend(
    image: NDArray[np.uint8],
    labels: NDArray[Any],
    table: NDArray[np.uint8],
    alpha: float,
) -> NDArray[np.uint8]:
    below, above = Image.fromarray(image), Image.fromarray(table[labels])
    mask = Image.fromarray((labels > 0).astype(np.uint8) * np.uint8(255))
    mixed = Image.composite(Image.blend(below, above, alpha), below, mask)
    return np.array(mixed)


def _outline(regions: NDArray[Any], thickness: int) -> NDArray[np.bool_]:
    """Pixels at most ``thickness`` rows or columns from another value."""
    found = np.zeros(regions.shape, bool)
    for step in range(1, thickness + 1):
        differs = regions[step:] != regions[:-step]
        found[step:] |= differs
        found[:-step] |= differs
        differs = regions[:, step:] != regions[:, :-step]
        found[:, step:] |= differs
        found[:, :-step] |= differs
    return found


def _entries(
    present: NDArray[np.intp], classes: ClassSet, unlabelled: str
) -> list[Entry]:
    """Legend lines of the values that occur, in the order of the classes."""
    values = [v for v in classes.ids if v < len(present) and present[v]]
    hidden = len(values) - _MOST_ENTRIES
    if hidden > 0:
        largest = np.argsort(-present[values], kind="stable")[:_MOST_ENTRIES]
        values = [values[i] for i in np.sort(largest)]
    entries = [
        Entry(f"{value} {classes.name_of(value)}", classes.colour_of(value))
        for value in values
    ]
    if hidden > 0:
        entries.append(Entry(f"and {hidden} more with fewer pixels", ""))
    if present[0]:
        entries.append(Entry(f"0 {unlabelled}"))
    return entries


def _write_marks(
    canvas: Image.Image, marks: Sequence[Mark], factor: int, size: int
) -> None:
    draw = ImageDraw.Draw(canvas)
    font = load_font(size)
    stroke = max(1, size // 8)
    taken: list[tuple[float, float, float, float]] = []
    for mark in marks:
        limits = _intersection(
            tuple(factor * v for v in mark.box), (0, 0, canvas.width, canvas.height)
        )
        for text in mark.texts:
            box = _place(text, font, stroke, mark, factor, limits)
            if box is None or any(_overlap(box, other) for other in taken):
                continue
            taken.append(box)
            draw.text(
                ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2),
                text,
                "white",
                font,
                anchor="mm",
                stroke_width=stroke,
                stroke_fill="black",
            )
            break


_Box = tuple[float, float, float, float]


def _place(
    text: str, font: Font, stroke: int, mark: Mark, factor: int, limits: _Box
) -> _Box | None:
    """Box of a text near its point and within the limits; None if it is too large."""
    left, top, right, bottom = font.getbbox(text, anchor="mm", stroke_width=stroke)
    width, height = right - left + 2, bottom - top + 2
    if width > limits[2] - limits[0] or height > limits[3] - limits[1]:
        return None
    x = min(max(mark.x * factor - width / 2, limits[0]), limits[2] - width)
    y = min(max(mark.y * factor - height / 2, limits[1]), limits[3] - height)
    return (x, y, x + width, y + height)


def _intersection(box: tuple[float, ...], limits: _Box) -> _Box:
    return (
        max(box[0], limits[0]),
        max(box[1], limits[1]),
        min(box[2], limits[2]),
        min(box[3], limits[3]),
    )


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
