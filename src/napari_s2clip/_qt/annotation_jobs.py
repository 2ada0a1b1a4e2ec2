"""Looking for, reading and saving annotations: what runs in a thread, without Qt."""

from __future__ import annotations

import errno
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from ..io.annotations import Annotations
from ..io.find_sidecar import Found, find_sidecar
from ..io.image_record import describe_image
from ..io.sidecar import (
    SUFFIX,
    SidecarChanged,
    SidecarError,
    load_annotations,
    save_annotations,
    sidecar_folders,
)
from ..maps import new_map

__all__ = [
    "Job",
    "Picture",
    "Saved",
    "chosen_folder",
    "load",
    "look_up",
    "save",
    "still",
]

_log = logging.getLogger(__name__)

_STILL = 256 * 1024**2  # bytes of maps that are copied before a thread writes them


@dataclass(frozen=True)
class Picture:
    """What a thread may know about an Image layer."""

    data: Any
    name: str
    path: str

    @classmethod
    def of(cls, layer: Image) -> Picture:
        """As the layer is now; of a pyramid the finest level."""
        data = layer.data[0] if layer.multiscale else layer.data
        return cls(data, str(layer.name), str(layer.source.path or ""))

    @property
    def pixels(self) -> int:
        """How many there are."""
        return int(np.prod(self.data.shape, dtype=float))


@dataclass(frozen=True)
class Saved:
    """Where annotations were saved, and what stands for them."""

    folder: Path
    state: str


@dataclass(eq=False)
class Job:
    """Work in a thread, and what came of it: a value, or why there is none."""

    work: Callable[[], Any]
    value: Any = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Job:
        """Raises nothing: what went wrong is the outcome."""
        try:
            self.value = self.work()
        except (SidecarError, ValueError, OSError, MemoryError) as error:
            _log.debug("annotations", exc_info=True)
            self.error = error
        except Exception as error:  # noqa: BLE001
            _log.exception("annotations")
            self.error = error
        finally:
            self.done.set()
        return self


def look_up(picture: Picture) -> Found:
    """Look for the annotations of an image that has a file."""
    record = describe_image(picture.data, name=picture.name, path=picture.path)
    return find_sidecar(picture.path, record)


def load(folder: Path, picture: Picture) -> Annotations:
    """Read annotations; large maps stay on disk."""
    return load_annotations(folder, pixels=picture.pixels, make=new_map)


def save(
    annotations: Annotations, picture: Picture, folder: Path, replaces: str | None
) -> Saved:
    """Save annotations; where that is refused beside the image, in the user's folder.

    Parameters
    ----------
    annotations : Annotations
    picture : Picture
    folder : Path
    replaces : str or None
        See `save_annotations`.
    """
    record = describe_image(picture.data, name=picture.name, path=picture.path or None)
    annotations = replace(annotations, image=record)
    try:
        return Saved(folder, save_annotations(annotations, folder, replaces=replaces))
    except SidecarChanged:
        raise
    except SidecarError as error:
        elsewhere = sidecar_folders(picture.path)[-1] if picture.path else folder
        if not _is_refused(error) or folder.parent == elsewhere.parent:
            raise
    return Saved(elsewhere, save_annotations(annotations, elsewhere))


def _is_refused(error: SidecarError) -> bool:
    """Whether one may not write there, or not with that name."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in {
        *(errno.EACCES, errno.EPERM, errno.EROFS),
        errno.ENAMETOOLONG,
    }


def still(annotations: Annotations) -> Annotations:
    """The same, with copies of the arrays, which the user may go on painting in.

    Arrays on disk and very large ones are not copied; what is painted while they are
    written is saved the next time.
    """
    arrays = [
        *annotations.maps.values(),
        *annotations.written.values(),
        *(copy.data for copy in annotations.copies),
    ]
    in_memory = [array for array in arrays if isinstance(array, np.ndarray)]
    if sum(array.nbytes for array in in_memory) > _STILL:
        return annotations

    def copied(array: Any) -> Any:
        return array.copy() if isinstance(array, np.ndarray) else array

    return replace(
        annotations,
        maps={name: copied(array) for name, array in annotations.maps.items()},
        written={name: copied(array) for name, array in annotations.written.items()},
        copies=tuple(
            replace(copy, data=copied(copy.data)) for copy in annotations.copies
        ),
    )


def chosen_folder(parent: str, name: str) -> Path:
    """Where annotations of an image without a file go in a folder that was chosen."""
    plain = re.sub(r'[\s\\/:*?"<>|\x00-\x1f]+', " ", name).strip(" .")[:80] or "image"
    return Path(parent) / f"{plain}{SUFFIX}"
