"""Procedural scenes with exact ground truth.

Coloured shapes lie on one or two textures. Shapes are drawn without anti-aliasing and
the labels are taken from the same masks, so every pixel's class is known exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from .textures import paint_texture
from .vocabulary import COLOURS, OBJECTS, SHAPES, TEXTURES

__all__ = ["DIFFICULTIES", "Difficulty", "Scene", "draw_scene", "draw_shape", "scenes"]


@dataclass(frozen=True)
class Difficulty:
    """How crowded and how noisy a scene is; lengths are fractions of its side."""

    objects: tuple[int, int]
    """Fewest and most objects."""
    radius: tuple[float, float]
    two_grounds: float
    """Probability of a second texture."""
    shading: float
    """Standard deviation of the smooth shading of an object, in grey levels."""
    noise: float
    """Standard deviation of the pixel noise, in grey levels."""
    same_colour: float
    """Probability that an object repeats the colour of an earlier one."""


DIFFICULTIES: dict[str, Difficulty] = {
    "easy": Difficulty((1, 2), (0.15, 0.26), 0.2, 4, 2, 0.0),
    "medium": Difficulty((2, 4), (0.10, 0.24), 0.5, 8, 4, 0.1),
    "hard": Difficulty((4, 7), (0.07, 0.17), 0.7, 12, 7, 0.3),
}


@dataclass(frozen=True)
class Scene:
    """An image with its ground truth."""

    image: NDArray[np.uint8]
    """RGB, shape (size, size, 3)."""
    labels: NDArray[np.uint16]
    """Shape (size, size); pixel value i is the class ``names[i - 1]``, no zeros."""
    instances: NDArray[np.uint16]
    """Shape (size, size); 0 on the ground, 1, 2, … one object each."""
    names: tuple[str, ...]
    difficulty: str

    def present(self, min_fraction: float = 0.002) -> tuple[str, ...]:
        """Names of the classes that cover at least ``min_fraction`` of the image."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.names) + 1)[1:]
        enough = counts >= min_fraction * self.labels.size
        return tuple(n for n, keep in zip(self.names, enough, strict=True) if keep)


def _star(points: int, inner: float, outer: float) -> NDArray[np.float32]:
    angle = np.arange(2 * points) * np.pi / points
    radius = np.where(np.arange(2 * points) % 2, inner, outer)
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], 1).astype(
        np.float32
    )


def _corners(*points: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(points, np.float32)


_POLYGONS: dict[str, NDArray[np.float32]] = {
    "square": _corners((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": _corners((0, -1.1), (0.95, 0.7), (-0.95, 0.7)),
    "star": _star(5, 0.5, 1.15),
    "cross": _corners(
        *[(-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35)],
        *[(0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1, 0.35), (-1, -0.35)],
        (-0.35, -0.35),
    ),
}


def draw_shape(
    shape: str,
    size: int,
    centre: tuple[float, float],
    radius: float,
    angle: float,
) -> NDArray[np.bool_]:
    """Mask of one shape.

    Parameters
    ----------
    shape : str
        One of `napari_s2clip.demo.vocabulary.SHAPES`.
    size : int
        Side of the square mask, in pixels.
    centre : (float, float)
        Column and row of the centre, in pixels.
    radius : float
        In pixels.
    angle : float
        Rotation, in radians.

    Returns
    -------
    ndarray of bool, shape (size, size)
    """
    mask = np.zeros((size, size), np.uint8)
    middle = (round(centre[0]), round(centre[1]))
    disc = partial(cv2.circle, mask, thickness=-1)
    cos, sin = np.cos(angle), np.sin(angle)
    if shape == "circle":
        disc(middle, round(radius), 1)
    elif shape == "ellipse":
        axes = (round(radius * 1.25), round(radius * 0.55))
        cv2.ellipse(mask, middle, axes, np.degrees(angle), 0, 360, 1, -1)
    elif shape == "ring":
        disc(middle, round(radius), 1)
        disc(middle, round(radius * 0.55), 0)
    elif shape == "crescent":
        bite = (
            round(centre[0] + radius * 0.5 * cos),
            round(centre[1] + radius * 0.5 * sin),
        )
        disc(middle, round(radius), 1)
        disc(bite, round(radius * 0.8), 0)
    elif shape in _POLYGONS:
        turn = np.array([[cos, sin], [-sin, cos]], np.float32)
        corners = _POLYGONS[shape] @ turn * np.float32(radius)
        corners += np.array(centre, np.float32)
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    else:
        raise ValueError(f"shape: no shape {shape!r}; choose one of {SHAPES}")
    return mask.astype(bool)


def _wavy_half(size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.mgrid[:size, :size].astype(np.float32) - size / 2) / size
    across = x * np.cos(angle) + y * np.sin(angle)
    along = y * np.cos(angle) - x * np.sin(angle)
    wave = 0.04 * np.sin(along * rng.uniform(5, 14) + rng.uniform(0, 6.28))
    return np.asarray(across + wave > rng.uniform(-0.2, 0.2))


def _paint_object(
    colour: str, size: int, shading: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    base = np.array(COLOURS[colour], np.float32)
    base += rng.normal(0, 9, 3).astype(np.float32)
    small = rng.standard_normal((8, 8), dtype=np.float32)
    shade = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(base + shading * shade[..., None], np.float32)


def draw_scene(
    size: int,
    rng: np.random.Generator,
    *,
    difficulty: str = "medium",
    objects: tuple[str, ...] = OBJECTS,
    textures: tuple[str, ...] = TEXTURES,
) -> Scene:
    """Draw one scene.

    Parameters
    ----------
    size : int
        Side of the square image, in pixels (128 to 512 is what the models know).
    rng : numpy.random.Generator
        Source of every random choice: the same state draws the same scene.
    difficulty : {"easy", "medium", "hard"}
        A key of `DIFFICULTIES`.
    objects : tuple of str
        Object classes to choose from, ``"colour shape"``.
    textures : tuple of str
        Ground classes to choose from.

    Returns
    -------
    Scene
    """
    level = DIFFICULTIES[difficulty]
    names: list[str] = [str(rng.choice(textures))]
    image = paint_texture(names[0], size, rng)
    labels = np.ones((size, size), np.uint16)
    instances = np.zeros((size, size), np.uint16)
    if len(textures) > 1 and rng.random() < level.two_grounds:
        names.append(str(rng.choice([t for t in textures if t != names[0]])))
        half = _wavy_half(size, rng)
        image[half] = paint_texture(names[1], size, rng)[half]
        labels[half] = 2
    used: list[str] = []
    for number in range(
        1, int(rng.integers(level.objects[0], level.objects[1] + 1)) + 1
    ):
        pool = objects
        if used and rng.random() < level.same_colour:
            pool = tuple(o for o in objects if o.split()[0] in used) or objects
        name = str(rng.choice(pool))
        colour, shape = name.split()
        used.append(colour)
        radius = rng.uniform(*level.radius) * size
        centre = rng.uniform(0.8 * radius, size - 0.8 * radius, 2)
        mask = draw_shape(
            shape, size, (centre[0], centre[1]), radius, rng.uniform(0, 2 * np.pi)
        )
        if name not in names:
            names.append(name)
        image[mask] = _paint_object(colour, size, level.shading, rng)[mask]
        labels[mask] = names.index(name) + 1
        instances[mask] = number
    image = np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.float32)
    image += level.noise * rng.standard_normal((size, size, 3), dtype=np.float32)
    return Scene(
        image=np.clip(image, 0, 255).astype(np.uint8),
        labels=labels,
        instances=instances,
        names=tuple(names),
        difficulty=difficulty,
    )


def scenes(
    count: int,
    *,
    size: int = 256,
    seed: int = 2024,
    objects: tuple[str, ...] = OBJECTS,
) -> Iterator[Scene]:
    """Yield ``count`` scenes, the difficulties in turn, each from a seed of its own.

    Scene *i* depends on ``(seed, i)`` alone, so a longer run begins with the scenes of
    a shorter one.
    """
    levels = tuple(DIFFICULTIES)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        yield draw_scene(
            size, rng, difficulty=levels[index % len(levels)], objects=objects
        )
