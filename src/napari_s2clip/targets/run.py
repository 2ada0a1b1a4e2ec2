"""A run over all tiles of all planes of a target."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..classes import ClassSet
from ..maps import Map, discard, new_map
from ..progress import CancelToken, ProgressCallback
from ..tiles import Tile, Tiling
from .memory import FeatureMemory
from .reader import TileReader
from .result import TargetResult, place_table
from .teller import Teller

if TYPE_CHECKING:
    import pandas as pd

    from ..pipeline import S2CLIP
    from ..planes import Plane, Target
    from ..results import Segmentation
    from ..settings import Settings

__all__ = ["segment_target"]


def segment_target(
    model: S2CLIP,
    target: Target,
    classes: ClassSet | Sequence[str],
    settings: Settings | None = None,
    *,
    tiling: Tiling | None = None,
    memory: FeatureMemory | None = None,
    encode: bool = True,
    keep_probabilities: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> TargetResult:
    """Segment all planes of a target, tile by tile.

    Memory is bounded by the tile: large maps are written to disk (`new_map`), and
    regions of one class that touch across a seam become one. A plane that is one tile
    gives what `S2CLIP.segment` gives.

    Parameters
    ----------
    model : S2CLIP
    target : Target
    classes : ClassSet or sequence of str
    settings : Settings, optional
    tiling : Tiling, optional
    memory : FeatureMemory, optional
        Tiles that it knows are not encoded again.
    encode : bool
        Whether tiles that it does not know are encoded.
    keep_probabilities : bool
        Whether the result has the probabilities of all classes.
    progress : callable, optional
        Called with a `Progress`; its pieces are tiles.
    cancel : CancelToken, optional

    Raises
    ------
    ValueError
        If classes, image or settings do not fit; the message says what to do.
    NotEncoded
        If a tile is not known and ``encode`` is False.
    Cancelled
        If ``cancel`` was raised; what was written is removed.
    """
    if not isinstance(classes, ClassSet):
        classes = ClassSet(classes)
    run = _Run(
        model,
        target,
        classes,
        model.complete(settings),
        tiling or Tiling(),
        FeatureMemory(0) if memory is None else memory,
        encode,
        Teller(progress, cancel or CancelToken()),
    )
    try:
        return run(keep_probabilities)
    except BaseException:
        run.discard()
        raise


class _Run:
    """What the steps of `segment_target` share."""

    def __init__(
        self,
        model: S2CLIP,
        target: Target,
        classes: ClassSet,
        settings: Settings,
        tiling: Tiling,
        memory: FeatureMemory,
        encode: bool,
        tell: Teller,
    ) -> None:
        self.model = model
        self.target = target
        self.classes = classes
        self.settings = settings
        self.tiling = tiling
        self.memory = memory
        self.encode = encode
        self.tell = tell
        self.maps: dict[str, Map] = {}
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.notes: dict[str, None] = dict.fromkeys(target.notes)
        self.provenance: dict[str, Any] = {}
        self.tiles = 0

    def __call__(self, keep_probabilities: bool) -> TargetResult:
        planes, shape = self.target.planes, self.target.plane_shape
        whole = (len(planes), *shape)
        for name, dtype in (
            ("coarse", np.uint16),
            ("regions", np.int32),
            ("refined", np.uint16),
            ("owners", np.int32),
        ):
            self.maps[name] = new_map(whole, dtype)
        if keep_probabilities:
            size = (len(planes), len(self.classes), *shape)
            self.maps["probabilities"] = new_map(size, np.float32)
        tables: list[pd.DataFrame] = []
        with TileReader() as reader:
            for number, plane in enumerate(planes):
                found = sum(len(table) for table in tables)
                table = self._plane(number, plane, reader, found + 1)
                tables.append(place_table(table, plane, number))
        import pandas as pd

        return TargetResult(
            target=self.target,
            classes=self.classes,
            coarse=self.maps["coarse"],
            regions=self.maps["regions"],
            refined=self.maps["refined"],
            owners=self.maps["owners"],
            region_table=pd.concat(tables, ignore_index=True),
            probabilities=self.maps.get("probabilities"),
            provenance=self._whole_provenance(),
            seconds=dict(self.seconds),
            notes=tuple(self.notes),
        )

    def discard(self) -> None:
        """Remove what was written."""
        for found in self.maps.values():
            discard(found)
        self.maps.clear()

    def _plane(
        self, number: int, plane: Plane, reader: TileReader, first_id: int
    ) -> pd.DataFrame:
        from .stitch import PlaneStitcher  # OpenCV

        stitcher = PlaneStitcher(
            self.maps["regions"], self.maps["owners"], number, self.classes
        )
        waiting = deque(self.tiling.tiles(plane.shape))
        done = 0
        while waiting:
            self._tell_where(number, done, len(waiting))
            self.tell.step("encode", 0, "reading the pixels")
            tile = waiting.popleft()
            segmentation = self._tile(
                plane, tile, self._following(number, waiting), reader
            )
            if segmentation is None:
                self._halve()
                waiting.appendleft(tile)
                smaller = [part for t in waiting for part in t.smaller(self.tiling)]
                waiting = deque(smaller)
                continue
            with self._clock("join"):
                self._write(number, tile, segmentation)
                if tile.is_core and not done and not waiting:
                    self.tiles += 1
                    return self._write_whole(number, segmentation, first_id)
                stitcher.add(tile, segmentation)
            del segmentation  # before the next one needs the memory
            done += 1
            self.tiles += 1
        self._tell_where(number, done, 0)
        with self._clock("join"):
            if done > 1:
                self.tell.step("refine", 1, "joining the tiles")
            return stitcher.finish(
                first_id,
                connected=self.settings.connected_components,
                check=self.tell.check,
            )

    def _write_whole(
        self, number: int, segmentation: Segmentation, first_id: int
    ) -> pd.DataFrame:
        """The regions of a plane that is one tile: there is nothing to join."""
        shift = first_id - 1
        for name in ("regions", "owners"):
            ids = getattr(segmentation, name)
            self.maps[name][number] = (
                np.where(ids > 0, ids + shift, 0) if shift else ids
            )
        table = segmentation.region_table.copy()
        table["region"] += shift
        return table

    def _following(
        self, number: int, waiting: deque[Tile]
    ) -> tuple[Plane, Tile] | None:
        """The tile after the present one."""
        planes = self.target.planes
        if waiting:
            return planes[number], waiting[0]
        if number + 1 < len(planes):
            plane = planes[number + 1]
            return plane, self.tiling.tiles(plane.shape)[0]
        return None

    def _tile(
        self,
        plane: Plane,
        tile: Tile,
        following: tuple[Plane, Tile] | None,
        reader: TileReader,
    ) -> Segmentation | None:
        """One tile; None where the memory of a device is full.

        Returning lets go of the error, whose frames would keep the memory in use.
        """
        with self._clock("read"):
            image = reader.read(plane, tile, following, self.tell.check)
        try:
            with self._clock("encode"):
                live = self.memory.live(
                    self.model,
                    image,
                    self.settings,
                    encode=self.encode,
                    progress=self.tell,
                    cancel=self.tell.cancel,
                )
            found: Segmentation = live.update(
                self.classes, self.settings, progress=self.tell, cancel=self.tell.cancel
            )
        except (RuntimeError, MemoryError) as error:
            from ..models.memory import is_out_of_memory

            on_cpu = str(self.model.device) == "cpu"
            if on_cpu or not is_out_of_memory(error) or self.tiling.halved() is None:
                raise
            return None
        self.memory.trim()
        for stage, seconds in found.seconds.items():
            self.seconds[stage] += seconds
        if not self.provenance:
            self.provenance = found.provenance
        self.notes |= dict.fromkeys((*image.notes, *live.features.notes))
        return found

    def _halve(self) -> None:
        """Go on with smaller tiles, and without the others in memory."""
        self.memory.clear()
        smaller = self.tiling.halved()
        assert smaller is not None
        self.notes[
            f"the memory of {self.model.device} was full: tiles of {smaller.tile} px "
            f"instead of {self.tiling.tile} px"
        ] = None
        self.tiling = smaller
        if str(self.model.device).startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def _write(self, number: int, tile: Tile, segmentation: Segmentation) -> None:
        here = (number, tile.core_rows, tile.core_columns)
        self.maps["coarse"][here] = segmentation.coarse[tile.inner]
        self.maps["refined"][here] = segmentation.refined[tile.inner]
        if "probabilities" in self.maps:
            part = segmentation.probabilities[:, *tile.inner]
            self.maps["probabilities"][number, :, tile.core_rows, tile.core_columns] = (
                part
            )

    def _tell_where(self, number: int, done: int, waiting: int) -> None:
        planes = len(self.target.planes)
        here = done + waiting
        each = len(self.tiling.tiles(self.target.plane_shape))
        self.tell.piece = min(self.tiles, self.tiles + waiting - 1)
        self.tell.pieces = self.tiles + waiting + each * (planes - number - 1)
        self.tell.at(done, here, number, planes)

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started

    def _whole_provenance(self) -> dict[str, Any]:
        provenance = {**self.provenance, "input_notes": list(self.notes)}
        if self.tiles > len(self.target.planes):
            provenance["tiles"] = {
                "tile": self.tiling.tile,
                "overlap": self.tiling.overlap,
                "count": self.tiles,
            }
        return provenance
