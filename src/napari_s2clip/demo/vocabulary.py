"""The words of the demo world: colours, shapes and textures.

An object's class is a colour and a shape (``"red circle"``), a ground's class is its
texture (``"grass"``). Some colour-shape pairs never occur in training, each colour and
each shape exactly once among them, so that a class can be new although its two words
are known: this is what *open vocabulary* means for models this small.
"""

from __future__ import annotations

from itertools import product

__all__ = [
    "COLOURS",
    "OBJECTS",
    "SEEN_OBJECTS",
    "SHAPES",
    "TEXTURES",
    "UNSEEN_OBJECTS",
    "VOCABULARY",
    "object_name",
]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 215, 50),
    "purple": (150, 60, 190),
    "orange": (245, 140, 35),
    "white": (238, 238, 238),
    "black": (25, 25, 25),
}
"""RGB of each colour word, 0 to 255; scenes vary it from object to object."""

SHAPES: tuple[str, ...] = (
    "circle",
    "square",
    "triangle",
    "star",
    "ring",
    "cross",
    "crescent",
    "ellipse",
)

TEXTURES: tuple[str, ...] = (
    "grass",
    "water",
    "sand",
    "brick",
    "wood",
    "clouds",
    "gravel",
)


def object_name(colour: str, shape: str) -> str:
    """Class name of an object: ``object_name("red", "ring") == "red ring"``."""
    return f"{colour} {shape}"


OBJECTS: tuple[str, ...] = tuple(object_name(c, s) for c, s in product(COLOURS, SHAPES))

# A diagonal of the colour x shape table: every word stays in training.
UNSEEN_OBJECTS: tuple[str, ...] = tuple(
    object_name(colour, SHAPES[(3 * i + 1) % len(SHAPES)])
    for i, colour in enumerate(COLOURS)
)
SEEN_OBJECTS: tuple[str, ...] = tuple(o for o in OBJECTS if o not in UNSEEN_OBJECTS)

VOCABULARY: tuple[str, ...] = OBJECTS + TEXTURES
