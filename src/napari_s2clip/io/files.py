"""Read image files as arrays."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from tifffile import TiffFile, TiffPage

__all__ = ["DAMAGE", "TIFF", "oriented", "read_frames", "read_image", "tiff_pixels"]

_ONE_PLANE = "one 2-D image at a time is supported now: save the plane you want"

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How files begin that are TIFF."""

_PNG = b"\x89PNG\r\n\x1a\n"

_STARTS = {"JPEG": b"\xff\xd8", "PNG": _PNG, "GIF": b"GIF8"}
"""How files begin whose damage Pillow takes for another kind of file."""

DAMAGE = (
    EOFError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files."""


class _Refused(ValueError):
    """The file is sound, but not what is wanted; the message is complete."""


def read_image(path: str | Path) -> NDArray[Any]:
    """Read one 2-D image from a file.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF (8 to 64 bits, integers and floats), or another format that
        Pillow reads. The content counts, not the extension.

    Returns
    -------
    ndarray, (H, W), (H, W, 3) or (H, W, 4)
        Grey, RGB or RGBA in the dtype of the file (bool for 1 bit). Palettes are
        looked up, other colour spaces become RGB, the orientation that the file asks
        for is applied. Colour profiles are not. Channels of a TIFF beyond RGB that
        are not said to be alpha are left out.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If the file cannot be opened.
    ValueError
        If it is not an image, damaged, or holds several planes; the message names the
        file and says what to do.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give image files")
    with path.open("rb") as stream:
        start = stream.read(26)
    try:
        if start.startswith(TIFF):
            array = _read_tiff(path)
        elif _is_deep_colour_png(start):
            array = _read_deep_png(path)
        else:
            array = _read_with_pillow(path)
    except _Refused as error:
        raise ValueError(f"{path}: {error}") from None
    except DAMAGE as error:
        raise ValueError(f"{path}: {_reason(path, start, error)}") from error
    return np.ascontiguousarray(array)


def _reason(path: Path, start: bytes, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if not start:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        for kind, first in _STARTS.items():
            if start.startswith(first):
                return (
                    f"the image is damaged, or of a kind of {kind} that cannot be read"
                )
        return "not an image file that can be read; give PNG, JPEG or TIFF"
    detail = " ".join(str(error).replace(str(path), path.name).split())
    return f"the image is damaged or of a kind that cannot be read ({detail})"


# ----------------------------------------------------------------------- Pillow


def _read_with_pillow(path: Path, *, one_frame: bool = True) -> NDArray[Any]:
    """Read the first frame; refuse others unless they are known to be copies."""
    from PIL import Image, ImageOps

    # The file is the user's own, so a large one is no attack. `catch_warnings` would be
    # for all threads, and undo what others set meanwhile; images are read in threads.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        opened = Image.open(path)
    except Image.DecompressionBombError:
        raise _Refused(
            "the image has too many pixels; save a part of it or a smaller copy"
        ) from None
    with opened as image:
        frames = getattr(image, "n_frames", 1)
        # Phones put previews behind the photograph (MPO), which comes first.
        if one_frame and frames > 1 and image.format != "MPO":
            raise _Refused(f"the file holds {frames} images; {_ONE_PLANE}")
        image.load()
        return _as_array(ImageOps.exif_transpose(image))


def read_frames(path: Path) -> NDArray[Any] | None:
    """All frames of an animation, (N, H, W) or (N, H, W, C); None if it is not one.

    Raises
    ------
    ValueError
        If the file is damaged; the message names it.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            count = getattr(image, "n_frames", 1)
            if count < 2 or image.format == "MPO":
                return None
            frames = [_as_array(frame) for frame in ImageSequence.Iterator(image)]
            if len({frame.shape for frame in frames}) > 1:  # grey among coloured ones
                frames = [
                    np.asarray(frame.convert("RGB"))
                    for frame in ImageSequence.Iterator(image)
                ]
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return None  # `read_image` says it
    except DAMAGE as error:
        raise ValueError(f"{path}: the image is damaged ({error})") from error
    return np.stack(frames)


def _as_array(image: Image) -> NDArray[Any]:
    """Pixels of a Pillow image as grey, RGB or RGBA."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if mode in {"I", "F"}:
        return np.asarray(image)
    if mode in {"LA", "La", "PA", "RGBa", "RGBA"} or "transparency" in image.info:
        # Pillow converts premultiplied modes in steps.
        step = {"La": "LA"}.get(mode)
        return np.asarray((image.convert(step) if step else image).convert("RGBA"))
    if mode in {"1", "L", "RGB"}:
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


# ------------------------------------------------------------------------- TIFF


def _read_tiff(path: Path) -> NDArray[Any]:
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        page = _only_page(tiff)
        try:
            return oriented(tiff_pixels(tiff, page), page)
        except ValueError as error:
            # Newer versions of tifffile name imagecodecs, older ones the compression.
            missing = "imagecodecs" in str(error) or "COMPRESSION." in str(error)
            if isinstance(error, _Refused) or not missing:
                raise
    # Pillow's libtiff decodes what tifffile needs the imagecodecs package for.
    return _read_with_pillow(path, one_frame=False)


def _only_page(tiff: TiffFile) -> TiffPage:
    """The page of a TIFF that holds one plane, maybe with smaller copies of it."""
    full = [s for s in tiff.series if not s.keyframe.is_reduced] or list(tiff.series)
    if not full:
        raise _Refused("the TIFF holds no image")
    axes = full[0].axes
    if len(full) > 1:
        raise _Refused(f"the TIFF holds {len(full)} images; {_ONE_PLANE}")
    sizes = dict(zip(axes, full[0].shape, strict=True))
    planes = {a: n for a, n in sizes.items() if a not in "YXS" and n > 1}
    if planes:
        shape = " × ".join(str(n) for n in full[0].shape)
        raise _Refused(f"the TIFF holds a stack ({shape}, axes {axes}); {_ONE_PLANE}")
    return full[0].keyframe


def tiff_pixels(tiff: TiffFile, page: TiffPage) -> NDArray[Any]:
    """Pixels of a page as grey, RGB or RGBA, not yet turned upright."""
    from tifffile import EXTRASAMPLE, PHOTOMETRIC, PLANARCONFIG

    facts = page.keyframe  # pages of one kind are described once
    kind = facts.photometric
    if kind in {PHOTOMETRIC.SEPARATED, PHOTOMETRIC.CIELAB, PHOTOMETRIC.YCBCR}:
        raise ValueError("colours need imagecodecs or another reader")
    array = np.asarray(page.asarray())
    samples = facts.samplesperpixel
    if samples > 1 and facts.planarconfig == PLANARCONFIG.SEPARATE:
        array = np.moveaxis(array.reshape(samples, *array.shape[-2:]), 0, -1)
    else:
        rows = (facts.imagelength, facts.imagewidth)
        array = array.reshape(*rows, samples) if samples > 1 else array.reshape(rows)
    if array.dtype.kind == "c":
        raise _Refused("the TIFF holds complex numbers; save their magnitude")
    if kind == PHOTOMETRIC.PALETTE:
        # Eight-bit palettes are stored as 16 bits: 257 times the value, or 256 times.
        table = (np.asarray(facts.colormap).T >> 8).astype(np.uint8)
        return np.asarray(table[array])
    if kind == PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
        array = ~array
    if samples == 1:
        return array
    colours = 3 if kind == PHOTOMETRIC.RGB else 1
    alpha: list[int] = [
        colours + i
        for i, extra in enumerate(facts.extrasamples)
        if extra == EXTRASAMPLE.UNASSALPHA
    ]
    if colours == 1:
        if samples > 2 or EXTRASAMPLE.UNSPECIFIED in facts.extrasamples:
            raise _Refused(f"the TIFF holds {samples} channels; {_ONE_PLANE}")
        return array[..., [0, 0, 0, 1]] if alpha else array[..., 0]
    # Premultiplied colours are already composited on black.
    return array[..., [0, 1, 2, *alpha[:1]]]


def oriented(array: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Apply the tag 274 (TIFF 6.0): where row 0 and column 0 are to be seen."""
    tag = page.tags.get(274)
    orientation = int(tag.value) if tag is not None else 1
    if orientation in {5, 6, 7, 8}:
        array = array.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        array = array[::-1]
    if orientation in {2, 3, 6, 7}:
        array = array[:, ::-1]
    return array


# -------------------------------------------------------------- PNG of 16 bits


def _is_deep_colour_png(start: bytes) -> bool:
    """Whether the header says 16 bits a channel and more than one channel."""
    # Signature (8), length and type of the first chunk (8), width, height, then these.
    return start.startswith(_PNG) and start[24:25] == b"\x10" and start[25] in {2, 4, 6}


def _read_deep_png(path: Path) -> NDArray[Any]:
    """Pillow would reduce such a file to 8 bits."""
    from .._opencv import cv2

    data = np.frombuffer(path.read_bytes(), np.uint8)
    array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("the pixels cannot be decoded")
    # OpenCV keeps blue first.
    order = [2, 1, 0] if array.shape[2] == 3 else [2, 1, 0, 3]
    return np.asarray(array[..., order])
