"""Grounds of the demo scenes: procedural textures and photographic ones.

Every function returns float32 RGB of shape (size, size, 3) around 0 to 255. Feature
sizes follow ``unit`` (pixels per hundredth of the image side), so that a texture looks
the same at every image size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .._opencv import cv2
from .vocabulary import TEXTURES

__all__ = ["paint_texture"]

Image = NDArray[np.float32]

_BASE: dict[str, tuple[int, int, int]] = {
    "grass": (70, 130, 50),
    "water": (60, 110, 160),
    "sand": (205, 180, 130),
    "brick": (150, 80, 65),
    "wood": (130, 90, 55),
    "clouds": (190, 205, 225),
    "gravel": (135, 130, 125),
}

_PHOTOGRAPHS = ("brick", "grass", "gravel")
"""Grey photographs of 512 x 512 px that scikit-image ships inside its wheel."""


@cache
def _photograph(name: str) -> Image:
    import skimage.data

    photo = getattr(skimage.data, name)().astype(np.float32)
    return np.asarray((photo - photo.mean()) / photo.std(), np.float32)


def _noise(size: int, sigma: tuple[float, float], rng: np.random.Generator) -> Image:
    """Gaussian noise blurred by ``sigma`` (x, y), scaled back to unit variance."""
    noise = rng.standard_normal((size, size), dtype=np.float32)
    blurred = cv2.GaussianBlur(
        noise, (0, 0), sigmaX=max(sigma[0], 0.05), sigmaY=max(sigma[1], 0.05)
    )
    return np.asarray(blurred / (blurred.std() + 1e-6), np.float32)


def _grass(size: int, unit: float, rng: np.random.Generator) -> Image:
    return 26 * _noise(size, (0.35 * unit, 1.6 * unit), rng)[..., None]


def _water(size: int, unit: float, rng: np.random.Generator) -> Image:
    y, x = np.mgrid[:size, :size].astype(np.float32) / np.float32(unit)
    phase, frequency = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.45)
    waves = np.sin(y * frequency * 2 + 2 * np.sin(x * 0.09 + phase) + phase)
    return np.asarray(18 * waves[..., None], np.float32)


def _sand(size: int, unit: float, rng: np.random.Generator) -> Image:
    return 16 * _noise(size, (0.3 * unit, 0.3 * unit), rng)[..., None]


def _brick(size: int, unit: float, rng: np.random.Generator) -> Image:
    height, width = rng.uniform(7, 11) * unit, rng.uniform(15, 22) * unit
    y, x = np.mgrid[:size, :size].astype(np.float32)
    row = np.floor(y / height)
    mortar = ((y % height) < 1.3 * unit) | (
        ((x + (row % 2) * width / 2) % width) < 1.3 * unit
    )
    texture = 6 * rng.standard_normal((size, size, 1), dtype=np.float32)
    joints = mortar[..., None] * np.array([40, 105, 110], np.float32)
    return np.asarray(texture + joints, np.float32)


def _wood(size: int, unit: float, rng: np.random.Generator) -> Image:
    y, x = np.mgrid[:size, :size].astype(np.float32) / np.float32(unit)
    phase = rng.uniform(0, 2 * np.pi)
    rings = np.sin(x * 0.5 + 1.5 * np.sin(y * 0.05 + phase) + phase)
    return (
        np.asarray(20 * rings[..., None], np.float32)
        + 4 * _noise(size, (0.3, 3 * unit), rng)[..., None]
    )


def _clouds(size: int, unit: float, rng: np.random.Generator) -> Image:
    small = max(8, size // 8)
    noise = cv2.resize(
        _noise(small, (1.0, 1.0), rng), (size, size), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(18 * noise[..., None], np.float32)


_PROCEDURAL: dict[str, Callable[[int, float, np.random.Generator], Image]] = {
    "grass": _grass,
    "water": _water,
    "sand": _sand,
    "brick": _brick,
    "wood": _wood,
    "clouds": _clouds,
}


def _photographic(name: str, size: int, rng: np.random.Generator) -> Image:
    photo = _photograph(name)
    side = int(rng.integers(200, 513))
    y, x = rng.integers(0, 513 - side, 2)
    crop = photo[y : y + side, x : x + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    shrink = size < side
    relief = cv2.resize(
        np.ascontiguousarray(crop),
        (size, size),
        interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR,
    )
    return np.asarray(28 * relief[..., None], np.float32)


def paint_texture(name: str, size: int, rng: np.random.Generator) -> Image:
    """Paint one ground.

    Parameters
    ----------
    name : str
        One of `napari_s2clip.demo.vocabulary.TEXTURES`.
    size : int
        Side of the square image, in pixels.
    rng : numpy.random.Generator
        Source of every random choice.

    Returns
    -------
    ndarray of float32, shape (size, size, 3)
        RGB around 0 to 255, not yet clipped.

    Raises
    ------
    ValueError
        If the texture is not known.
    """
    if name not in TEXTURES:
        raise ValueError(f"name: no texture {name!r}; choose one of {TEXTURES}")
    unit = size / 128 * rng.uniform(0.8, 1.3)
    base = np.array(_BASE[name], np.float32) + rng.normal(0, 8, 3).astype(np.float32)
    photo = name in _PHOTOGRAPHS and (name not in _PROCEDURAL or rng.random() < 0.5)
    relief = (
        _photographic(name, size, rng) if photo else _PROCEDURAL[name](size, unit, rng)
    )
    return base + relief
