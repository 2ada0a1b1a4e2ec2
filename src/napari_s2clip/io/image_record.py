"""What an image is known by, to notice another one under the same name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

__all__ = ["ImageRecord", "Likeness", "describe_image", "is_address"]

Likeness = Literal["same", "changed", "other"]

_ALL: Final = 64 * 1024**2
"""Images up to this many bytes are read through; of larger ones `_SAMPLES` blocks."""

_SAMPLES: Final = 16
_SIDE: Final = 64  # of a block, in pixels, along each of the last three axes


class ImageRecord(BaseModel):
    """One image.

    Attributes
    ----------
    name : str
        Of its layer.
    file : str
        Name of its file or address without the folder; empty if it has none.
    shape : tuple of int
        Of the finest level, colours and channels included.
    dtype : str
    size, mtime_ns : int or None
        Of the file: bytes, and nanoseconds since the epoch.
    checksum : str
        Of pixels: of all in small images, of a sample in large ones.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    file: str = ""
    shape: tuple[PositiveInt, ...] = Field(max_length=16)
    dtype: str
    size: NonNegativeInt | None = None
    mtime_ns: int | None = None
    checksum: str

    def likeness(self, now: ImageRecord) -> Likeness:
        """What an image of today is to this one, which was at the same path.

        ``"same"``, ``"changed"``, or ``"other"``: another layer of an unchanged file,
        such as a channel.
        """
        if self._content == now._content:
            return "same"
        untouched = self.size is not None and self._state == now._state
        return "other" if untouched and self.name != now.name else "changed"

    @property
    def _content(self) -> tuple[Any, ...]:
        return self.shape, self.dtype, self.checksum

    @property
    def _state(self) -> tuple[Any, ...]:
        return self.size, self.mtime_ns


def describe_image(
    data: Any, *, name: str, path: str | Path | None = None
) -> ImageRecord:
    """Look at an image; of large ones only at 16 small blocks.

    Parameters
    ----------
    data : array_like
        The finest level. Lazy ones are read where it looks.
    name : str
        Of the layer.
    path : str or Path, optional
        Of the file.
    """
    size = mtime = None
    if path and not is_address(path):
        try:
            about = Path(path).stat()
        except OSError:
            pass
        else:
            size, mtime = about.st_size, about.st_mtime_ns
    return ImageRecord(
        name=name,
        file=str(path).rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        if path
        else "",
        shape=tuple(int(n) for n in data.shape),
        dtype=str(np.dtype(data.dtype)),
        size=size,
        mtime_ns=mtime,
        checksum=_checksum(data),
    )


def is_address(path: str | Path) -> bool:
    """Whether an image lies on another machine."""
    return "://" in str(path)


def _checksum(data: Any) -> str:
    shape = tuple(int(n) for n in data.shape)
    dtype = np.dtype(data.dtype)
    digest = hashlib.blake2b(digest_size=16)
    if np.prod(shape, dtype=float) * dtype.itemsize <= _ALL:
        _add(digest, data)
        return digest.hexdigest()
    sides = [
        min(n, _SIDE if len(shape) - axis <= 3 else 1) for axis, n in enumerate(shape)
    ]
    for sample in range(_SAMPLES):
        # Along each axis at another pace, so that the blocks do not lie on a line.
        index = tuple(
            slice(
                first := round(
                    ((sample + 0.5) * 0.618034 * (axis + 1)) % 1 * (n - side)
                ),
                first + side,
            )
            for axis, (n, side) in enumerate(zip(shape, sides, strict=True))
        )
        _add(digest, data[index])
    return digest.hexdigest()


def _add(digest: Any, block: Any) -> None:
    values = np.asarray(block)
    # The order of bytes is not what an image is.
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    digest.update(values.reshape(-1).view(np.uint8).data)
