"""Any image data to the 8-bit RGB picture that the models see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Levels", "RGBImage", "choose_levels", "to_rgb"]

LOW, HIGH = 1.0, 99.8
"""Percentiles that become black and white where no contrast limits are given."""

_SAMPLE = 1 << 20
"""Percentiles of larger images are taken from about this many evenly spread pixels."""

_BLOCK = 1 << 20
"""Values that are converted at once, so that large images need little more memory."""

_MID_GREY = 128


@dataclass(frozen=True, eq=False)
class RGBImage:
    """What the models see.

    Attributes
    ----------
    pixels : ndarray of uint8, (H, W, 3)
        C-contiguous.
    notes : tuple of str
        What was done to the given data, for people.

    Raises
    ------
    ValueError
        If ``pixels`` is not such an array.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape, dtype = np.shape(self.pixels), getattr(self.pixels, "dtype", None)
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
            raise ValueError(
                f"pixels must be uint8 of shape (H, W, 3), got {dtype} of shape "
                f"{shape}; use to_rgb"
            )
        if not self.pixels.flags.c_contiguous:
            raise ValueError("pixels must be C-contiguous; use to_rgb")


@dataclass(frozen=True)
class Levels:
    """Which values become black and white, the same for all parts of an image.

    Attributes
    ----------
    limits : tuple of (float, float)
        One pair for all channels or one for each; none where the values are grey
        levels already.
    opaque : float
        The value of alpha that hides nothing.
    notes : tuple of str
        How they were chosen, for people.
    """

    limits: tuple[tuple[float, float], ...] = ()
    opaque: float = 1.0
    notes: tuple[str, ...] = ()


def choose_levels(
    data: Any,
    *,
    rgb: bool | None = None,
    contrast_limits: tuple[float, float] | None = None,
    each: bool = False,
    of: str = "",
) -> Levels:
    """Choose what `to_rgb` makes black and white, from an image or a sample of it.

    Parameters
    ----------
    data : array_like, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
    rgb : bool, optional
        Whether the last axis holds colours; guessed from its length if not given.
    contrast_limits : (float, float), optional
        Values for black and white.
    each : bool
        Take the percentiles of each channel by itself, of every dtype.
    of : str
        What the data is a sample of, for the notes.

    Raises
    ------
    ValueError
        See `to_rgb`.
    """
    array = _as_pixels(data, rgb)
    colours = array[..., :3] if array.shape[2] == 4 else array
    opaque = _full_opacity(array[..., 3]) if array.shape[2] == 4 else 1.0
    limits = _checked(contrast_limits)
    notes: list[str] = []
    if limits is None and each:
        chosen = tuple(
            _range(colours[..., channel : channel + 1], notes, of)
            for channel in range(colours.shape[2])
        )
        return Levels(chosen, opaque, tuple(dict.fromkeys(notes)))
    kind, size = colours.dtype.kind, colours.dtype.itemsize
    if kind == "u" and size == 1 and limits in (None, (0, 255)):
        return Levels(opaque=opaque)
    if kind == "b":
        return Levels((limits or (0.0, 1.0),), opaque)
    if limits is None:
        limits = _range(colours, notes, of)
    else:
        notes.append(f"contrast limits {limits[0]:g} to {limits[1]:g}")
    return Levels((limits,), opaque, tuple(notes))


def to_rgb(
    data: Any,
    *,
    rgb: bool | None = None,
    contrast_limits: tuple[float, float] | None = None,
    levels: Levels | None = None,
) -> RGBImage:
    """Turn a grey or colour image of any dtype into 8-bit RGB.

    Parameters
    ----------
    data : array_like, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
        NumPy, dask, zarr or nested lists. uint8 stays as it is; bool becomes 0 and
        255; float colour within 0 to 1 is multiplied by 255; everything else is
        stretched from its 1st to its 99.8th percentile, all channels together. The
        percentiles of images with more than about a million pixels are those of an
        evenly strided subsample. A constant image becomes middle grey. NaN and minus
        infinity become black, infinity white. Alpha is composited on black.
    rgb : bool, optional
        Whether the last axis holds colours; guessed from its length if not given.
    contrast_limits : (float, float), optional
        Values for black and white instead of the percentiles; for uint8 too.
    levels : Levels, optional
        What `choose_levels` chose for the whole of which ``data`` is a part.

    Returns
    -------
    RGBImage
        A copy; later changes of ``data`` do not reach it.

    Raises
    ------
    ValueError
        If the data is empty, complex, text or objects, or not one plane of grey or
        colour pixels, or the limits are no range; the message says what to do.
    """
    array = _as_pixels(data, rgb)
    if levels is None:
        levels = choose_levels(array, contrast_limits=contrast_limits)
    notes = list(levels.notes)
    colours, alpha = array, None
    if array.shape[2] == 4:
        colours, alpha = array[..., :3], array[..., 3]
    pixels = _to_uint8(colours, levels.limits, notes)
    if alpha is not None:
        notes.append("alpha composited on black")
        for rows in _blocks(pixels):
            opacity = np.nan_to_num(alpha[rows].astype(np.float64)) / levels.opaque
            shaded = pixels[rows] * opacity.clip(0, 1)[..., None]
            pixels[rows] = np.rint(shaded).astype(np.uint8)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return RGBImage(pixels, tuple(notes))


def _as_pixels(data: Any, rgb: bool | None) -> NDArray[Any]:
    """A NumPy array (H, W, 1 | 3 | 4) of bools, integers or floats."""
    try:
        array = np.asarray(data)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"image cannot be read as one array ({error}); give an array (H, W) or "
            "(H, W, 3)"
        ) from error
    if array.dtype.kind not in "buif":
        what, remedy = {
            "c": ("complex numbers", "take np.abs or np.real of it first"),
            "O": ("objects", "give one array of numbers"),
        }.get(array.dtype.kind, (f"{array.dtype} values", "give numbers"))
        raise ValueError(f"image holds {what}; {remedy}")
    if array.size == 0:
        raise ValueError(f"image is empty (shape {array.shape}); give at least 1 pixel")
    if array.ndim == 2 and not rgb:
        return array[..., None]
    colours = () if rgb is False else (3, 4) if rgb else (1, 3, 4)
    if array.ndim == 3 and array.shape[2] in colours:
        return array
    if array.ndim == 2:
        remedy = "it has no colour axis: leave out rgb=True"
    elif array.ndim == 3 and rgb is not False and array.shape[0] in (3, 4):
        remedy = "move the colours to the last axis with np.moveaxis(image, 0, -1)"
    elif array.ndim > 2:
        remedy = "choose one plane or channel of it"
    else:
        remedy = "give rows and columns"
    raise ValueError(
        f"image of shape {array.shape} is not one plane of grey (H, W) or colour "
        f"(H, W, 3 or 4) pixels; {remedy}"
    )


def _checked(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    """Contrast limits as plain floats."""
    if limits is None:
        return None
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if np.isfinite(low) and np.isfinite(high) and low < high:
        return low, high
    raise ValueError(
        f"contrast_limits {limits} must be two finite numbers, the lower one first"
    )


def _blocks(array: NDArray[Any]) -> Iterator[slice]:
    """Slices of rows with about `_BLOCK` values each."""
    height = array.shape[0]
    step = max(1, _BLOCK * height // array.size)
    for first in range(0, height, step):
        yield slice(first, first + step)


def _full_opacity(alpha: NDArray[Any]) -> float:
    """The value of alpha that means opaque.

    That of the dtype for bool, uint8 and uint16. Others (floats, lists) hold alpha in
    one of several ranges: the smallest of 1, 255 and 65,535 that holds all values.
    """
    if alpha.dtype.kind == "b":
        return 1.0
    if alpha.dtype.kind == "u" and alpha.dtype.itemsize <= 2:
        return float(np.iinfo(alpha.dtype).max)
    top = float(alpha.max(initial=0, where=np.isfinite(alpha)))
    return next((full for full in (1.0, 255.0, 65_535.0) if top <= full), top)


def _to_uint8(
    array: NDArray[Any], limits: Sequence[tuple[float, float]], notes: list[str]
) -> NDArray[np.uint8]:
    """Grey levels of the same shape, in memory of their own."""
    if not limits:
        return np.array(array, np.uint8, order="C")
    if array.dtype.kind == "b":
        array = array.view(np.uint8)
    if array.dtype.kind == "f":
        _note_not_finite(array, notes)
    levels = np.empty(array.shape, np.uint8)
    # One pair of limits is for all channels.
    width = array.shape[2] // len(limits)
    for i, (low, high) in enumerate(limits):
        part = slice(i * width, (i + 1) * width)
        values, out = array[..., part], levels[..., part]
        if array.dtype.kind != "f" and array.dtype.itemsize <= 2:
            out[...] = _by_table(values, low, high)
            continue
        for rows in _blocks(out):
            out[rows] = _stretch(values[rows], low, high)
    return levels


def _note_not_finite(array: NDArray[Any], notes: list[str]) -> None:
    low = high = 0
    for rows in _blocks(array):
        finite = np.isfinite(array[rows])
        if not finite.all():
            infinite = int((array[rows] == np.inf).sum())
            high += infinite
            low += finite.size - int(finite.sum()) - infinite
    if low:
        notes.append(f"{low} values that are NaN or -inf set to black")
    if high:
        notes.append(f"{high} values that are infinite set to white")


def _range(array: NDArray[Any], notes: list[str], of: str = "") -> tuple[float, float]:
    """Values for black and white of data without contrast limits."""
    if array.dtype.kind == "f" and array.shape[2] == 3:
        low, high = _extremes(array)
        if 0 <= low <= high <= 1:
            return 0.0, 1.0
    step = max(1, int((array.shape[0] * array.shape[1] / _SAMPLE) ** 0.5))
    # Percentiles of float16 overflow on the way.
    sample = array[::step, ::step].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    how = f"{LOW:g}st to {HIGH:g}th percentile"
    if step > 1:
        every = {2: "second", 3: "third"}.get(step, f"{step}th")
        how += f" of every {every} row and column"
    how += of
    if sample.size:
        # Interpolating between the largest floats overflows; between halves, not.
        low, high = (2 * float(v) for v in np.percentile(sample / 2, (LOW, HIGH)))
    if not sample.size or low == high:
        # Nearly all pixels are equal: let the few others be seen.
        low, high = _extremes(array)
        how = f"all values{of}"
    if low < high:
        notes.append(f"{array.dtype} stretched from {low:g} to {high:g} ({how})")
    elif low == high:
        notes.append(f"constant image ({low:g}) shown as middle grey")
    else:  # not one finite value
        low, high = 0.0, 1.0
    return low, high


def _extremes(array: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest finite value; (inf, -inf) if there is none."""
    low, high = np.inf, -np.inf
    for rows in _blocks(array):
        block = array[rows]
        if block.dtype.kind == "f":
            block = block[np.isfinite(block)]
        if block.size:
            low, high = min(low, float(block.min())), max(high, float(block.max()))
    return low, high


def _by_table(array: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """`_stretch` of integers of one or two bytes: once for each possible value."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    index = np.dtype(f"u{native.dtype.itemsize}")
    values = np.arange(1 << (8 * index.itemsize), dtype=index).view(native.dtype)
    table = _stretch(values, low, high)
    return np.ascontiguousarray(table[native.view(index)])


def _stretch(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Clip to low..high and scale to 0..255; NaN is 0, a constant image middle grey."""
    values = values.astype(np.float64)
    if low == high:
        levels = np.where(values == low, _MID_GREY, np.where(values > high, 255, 0))
        return levels.astype(np.uint8)
    # The difference of two very large floats overflows; that of their halves does not.
    scale = 0.5 if max(abs(low), abs(high)) > 1e300 else 1.0
    levels = values.clip(low, high)
    levels *= scale
    levels -= low * scale
    levels /= high * scale - low * scale
    levels *= 255
    np.nan_to_num(levels, nan=0, copy=False)
    return np.rint(levels).astype(np.uint8)
