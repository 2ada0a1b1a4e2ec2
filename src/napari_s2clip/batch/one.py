"""One image of a job: opened, segmented, written."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..closing import Closing
from ..io.open_image import open_image
from ..io.results import MAPS, write_segmentation
from ..io.stack import Stack
from ..maps import discard
from ..results import Segmentation
from .pictures import shown_plane
from .thumbnails import write_thumbnail

if TYPE_CHECKING:
    from ..features.store import FeatureStore
    from ..image import RGBImage
    from ..io.opened import OpenedImage
    from ..pipeline import S2CLIP
    from ..planes import Target
    from ..progress import CancelToken, ProgressCallback
    from .edited import Guard
    from .inputs import Input
    from .job import Job

__all__ = ["Found", "Prepared", "prepare", "segment", "write"]


@dataclass(frozen=True, eq=False)
class Prepared(Closing):
    """An image that is ready to be segmented.

    Attributes
    ----------
    input : Input
    opened : OpenedImage
    target : Target
    whole : RGBImage or None
        The picture of an image that is one plane and one tile.
    """

    input: Input
    opened: OpenedImage
    target: Target
    whole: RGBImage | None

    def close(self) -> None:
        """Close the file."""
        self.opened.close()


@dataclass(frozen=True, eq=False)
class Found(Closing):
    """What was found in an image.

    Attributes
    ----------
    result : Segmentation
        Of a stack the maps are (planes, H, W).
    stack : Stack
        What the planes are, and which one is drawn.
    picture : ndarray of uint8, (H, W, 3)
        That one, maybe smaller.
    """

    result: Segmentation
    stack: Stack
    picture: NDArray[np.uint8]

    def close(self) -> None:
        """Remove maps that lie on the disk until they are written."""
        for stage in MAPS:
            discard(getattr(self.result, stage))


def prepare(item: Input, job: Job) -> Prepared:
    """Open an image; if it is one tile, read it.

    Parameters
    ----------
    item : Input
    job : Job

    Raises
    ------
    OSError, ValueError
        If it cannot be read; the message names the file.
    """
    opened = open_image(item.path)
    try:
        target = job.reading.target(opened, item.path.name)
        plane = target.planes[0]
        single = len(target.planes) == 1 and max(plane.shape) <= job.tiling.tile
        whole = plane.tile() if single else None
        return Prepared(item, opened, target, whole)
    except BaseException:
        opened.close()
        raise


def segment(
    model: S2CLIP,
    prepared: Prepared,
    job: Job,
    *,
    store: FeatureStore | bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Found:
    """Segment an image: as one, or plane by plane and tile by tile.

    Raises
    ------
    Cancelled, ValueError, RuntimeError, MemoryError
        As `S2CLIP.segment`.
    """
    target, whole = prepared.target, prepared.whole
    if whole is not None:
        result = model.segment(
            whole,
            job.classes,
            settings=job.settings,
            store=store,
            progress=progress,
            cancel=cancel,
        )
        notes = [*target.notes, *result.provenance["input_notes"]]
        result.provenance["input_notes"] = notes
        return Found(result, Stack(target.shape), whole.pixels)
    from ..targets import FeatureMemory, segment_target

    several = segment_target(
        model,
        target,
        job.classes,
        job.settings,
        tiling=job.tiling,
        memory=FeatureMemory(0, store),
        progress=progress,
        cancel=cancel,
    )
    one = len(target.planes) == 1 and len(target.shape) == 2
    maps = {
        stage: _only(getattr(several, stage)) if one else getattr(several, stage)
        for stage in MAPS
    }
    result = Segmentation(
        classes=several.classes,
        region_table=several.region_table,
        probabilities=np.zeros((0, 0, 0), np.float32),
        provenance=several.provenance,
        seconds=several.seconds,
        **maps,
    )
    shown = shown_plane(target)
    letters = _letters(prepared.opened)
    stack = Stack(target.shape, letters, shown.number, shown.step)
    return Found(result, stack, shown.pixels)


def write(
    found: Found,
    prepared: Prepared,
    job: Job,
    out: Path,
    *,
    overwrite: bool = False,
    guard: Guard | None = None,
) -> dict[str, Any]:
    """Write what was found, and tell it as plain data for a journal and summaries.

    Parameters
    ----------
    found : Found
    prepared : Prepared
    job : Job
    out : Path
    overwrite : bool
    guard : Guard, optional
        Of results that are there.

    Raises
    ------
    FileExistsError
        If files are there and ``overwrite`` is off.
    EditedError
        If somebody has changed what is guarded.
    OSError
    """
    item, opened, result = prepared.input, prepared.opened, found.result
    folder = out / item.folder
    about: dict[str, Any] = {
        "source": {"path": str(item.path.absolute())},
        "reading": job.reading.to_dict(),
    }
    if opened.pixel_size is not None:
        about["pixel_size"] = list(opened.pixel_size)
        about["unit"] = opened.unit
    files = write_segmentation(
        result,
        found.picture,
        folder,
        item.stem,
        overwrite=overwrite,
        pictures=job.pictures,
        stack=found.stack,
        about=about,
        check=None if guard is None else partial(guard.check, out, item),
        leave=True,
    )
    shown = found.stack.cut(result)
    write_thumbnail(out, item.name, found.picture, shown.refined, result.classes)
    written = json.loads(files[-1].read_text(encoding="utf-8"))
    *_, height, width = found.stack.shape
    table = result.region_table
    failed = table["sam_score"].notna() & ~table["refined"]
    return {
        "width": width,
        "height": height,
        "planes": math.prod(found.stack.shape[:-2]),
        "notes": list(result.provenance["input_notes"]),
        "regions": len(table),
        "refined_regions": int(table["refined"].sum()),
        "kept_regions": int(failed.sum()),
        "pixels": written["pixels"]["refined"],
        "maps": written["maps"],
        "seconds": dict(result.seconds),
        "files": [str(file) for file in files],
    }


def _only(labels: Any) -> Any:
    """The plane of a map that has one: in memory, or on the disk as it is."""
    return labels[0] if isinstance(labels, np.ndarray) else labels


def _letters(opened: OpenedImage) -> str:
    """Names of the axes as tifffile has them."""
    kept = [n for i, n in enumerate(opened.axes) if i != opened.channel_axis]
    known = [n.upper() if n in {"z", "t"} else "Q" for n in kept[:-2]]
    return "".join(known) + "YX"
