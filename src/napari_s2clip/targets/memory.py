"""Tiles that were segmented lately, so that other classes need no encoding."""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from ..image import RGBImage

if TYPE_CHECKING:
    from ..features.store import FeatureStore
    from ..live import LiveSegmentation
    from ..pipeline import S2CLIP
    from ..progress import CancelToken, ProgressCallback
    from ..settings import Settings

__all__ = ["FeatureMemory", "NotEncoded"]

_LIMIT: Final = 1 << 29


class NotEncoded(ValueError):
    """A tile would have to be encoded, and was not to be."""


class FeatureMemory:
    """Live segmentations of tiles, those that were used last, up to a number of bytes.

    A tile is known by its pixels and by the settings of its encoding, so it does not
    matter where in an image, or in which image, they are. Only tiles of one model are
    kept: they hold that model in memory.

    Parameters
    ----------
    limit : int
        In bytes. The tile that was used last is kept in any case.
    store : FeatureStore or bool
        Where features are kept on disk besides; see `S2CLIP.encode`.
    """

    def __init__(self, limit: int = _LIMIT, store: FeatureStore | bool = False) -> None:
        self.limit = limit
        self.store = store
        self._model: S2CLIP | None = None
        self._tiles: OrderedDict[str, LiveSegmentation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tiles)

    @property
    def nbytes(self) -> int:
        """Bytes that the tiles hold."""
        return sum(tile.nbytes for tile in self._tiles.values())

    def clear(self) -> None:
        """Forget all tiles, and the model."""
        self._tiles.clear()
        self._model = None

    def live(
        self,
        model: S2CLIP,
        image: RGBImage,
        settings: Settings,
        *,
        encode: bool = True,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> LiveSegmentation:
        """A tile that is known, else encoded now.

        Parameters
        ----------
        model : S2CLIP
        image : RGBImage
        settings : Settings
            Complete (`S2CLIP.complete`).
        encode : bool
            Whether a tile that is not known is encoded.
        progress : callable, optional
        cancel : CancelToken, optional

        Raises
        ------
        NotEncoded
            If the tile is not known and ``encode`` is False.
        """
        from ..live import MASK_LIMIT, LiveSegmentation  # torch: seconds, at first

        if model is not self._model:
            self.clear()
            self._model = model
        key = _key(image, settings)
        found = self._tiles.get(key)
        if found is None:
            if not encode:
                raise NotEncoded("This part of the image is not in memory; press Run.")
            # Before the new one needs it.
            self._forget(0)
            features = model.encode(
                # What was done to the data is known to who asks; pixels are pixels.
                RGBImage(image.pixels),
                settings=settings,
                store=self.store,
                progress=progress,
                cancel=cancel,
            )
            found = self._tiles[key] = LiveSegmentation(
                model, features, mask_limit=min(MASK_LIMIT, self.limit)
            )
        self._tiles.move_to_end(key)
        return found

    def trim(self) -> None:
        """Forget what was used longest ago; a tile grows when it is segmented."""
        self._forget(1)

    def _forget(self, kept: int) -> None:
        """Forget what was used longest ago, but of the last ``kept`` nothing.

        First the maps and masks of tiles, which can be found again from the features;
        then the features, until the limit holds.
        """
        old = list(self._tiles)[: max(0, len(self._tiles) - kept)]
        held = {key: tile.nbytes for key, tile in self._tiles.items()}
        total = sum(held.values())
        for key in old:
            if total <= self.limit:
                return
            self._tiles[key].forget()
            total -= held[key] - self._tiles[key].nbytes
            held[key] = self._tiles[key].nbytes
        for key in old:
            if total <= self.limit:
                return
            del self._tiles[key]
            total -= held[key]


def _key(image: RGBImage, settings: Settings) -> str:
    names = set(settings.of_stage("encode"))
    values: dict[str, Any] = settings.model_dump(mode="json", include=names)
    # Of the safe ones the quickest, where a CPU has instructions for it.
    given = sha256(image.pixels.data)
    given.update(json.dumps([image.pixels.shape, values], sort_keys=True).encode())
    return given.hexdigest()
