"""Tiles read ahead in a thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from ..closing import Closing

if TYPE_CHECKING:
    from ..image import RGBImage
    from ..planes import Plane
    from ..tiles import Tile

__all__ = ["TileReader"]

_PATIENCE = 0.05
"""Seconds between two looks at whether the run was cancelled."""


class TileReader(Closing):
    """Reads a tile while the one before it is segmented; at most one ahead."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "napari-s2clip read")
        self._ahead: tuple[Plane, Tile, Future[RGBImage]] | None = None

    def close(self) -> None:
        """Read nothing more."""
        # A read cannot be stopped; nobody waits for it.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def read(
        self,
        plane: Plane,
        tile: Tile,
        following: tuple[Plane, Tile] | None,
        check: Callable[[], None],
    ) -> RGBImage:
        """The picture of a tile; then begins to read the following one.

        Parameters
        ----------
        plane, tile
        following : (Plane, Tile), optional
        check : callable
            Called while this waits; what it raises ends the waiting.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is plane and ahead[1] == tile:
            future = ahead[2]
        else:
            future = self._start(plane, tile)
        while not wait([future], _PATIENCE).done:
            check()
        image = future.result()
        if following is not None:
            self._ahead = (*following, self._start(*following))
        return image

    def _start(self, plane: Plane, tile: Tile) -> Future[RGBImage]:
        return self._pool.submit(plane.tile, tile.rows, tile.columns)
