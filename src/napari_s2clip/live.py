"""Segmenting the features of an image again and again, only what a change reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .recall import Memory, size_in_memory

if TYPE_CHECKING:
    from .classes import ClassSet
    from .features.encode import ImageFeatures
    from .pipeline import S2CLIP
    from .progress import CancelToken, ProgressCallback
    from .results import Segmentation
    from .settings import Settings

__all__ = ["MASK_LIMIT", "LiveSegmentation"]

MASK_LIMIT = 1 << 29
"""Bytes of SAM's masks that are remembered for one image: 512 MB."""


class LiveSegmentation:
    """Segmentations of one image that follow its classes and settings.

    Each is equal to ``model.segment(features, classes, settings=settings)`` of the same
    model. What a stage found last is used until something changes that it depends on,
    and SAM is asked only for prompts that it has not met: a threshold costs
    milliseconds. Not for several threads at once.

    Parameters
    ----------
    model : S2CLIP
    features : ImageFeatures
        What ``model.encode`` gives; encoded by SAM once refinement is wanted, if it
        was not.
    mask_limit : int
        Bytes of SAM's masks to remember; the least recently used are forgotten.

    Raises
    ------
    ValueError
        If ``mask_limit`` is negative.

    Examples
    --------
    >>> live = LiveSegmentation(model, model.encode(image))
    >>> result = live.update(ClassSet(["red circle", "grass"]))
    >>> result = live.update(result.classes, Settings(iou_threshold=0.7))
    """

    def __init__(
        self, model: S2CLIP, features: ImageFeatures, *, mask_limit: int = MASK_LIMIT
    ) -> None:
        if mask_limit < 0:
            raise ValueError(f"mask_limit is {mask_limit}; give bytes from 0")
        self.model = model
        self.features = features
        self._mask_limit = mask_limit
        self.forget()

    def update(
        self,
        classes: ClassSet,
        settings: Settings | None = None,
        *,
        progress: ProgressCallback | None = None,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment by these classes and settings.

        Parameters
        ----------
        classes : ClassSet
        settings : Settings, optional
            By default those the features were encoded with.
        progress : callable, optional
        cancel : CancelToken, optional
            What was remembered stays so, and the next update is as right as ever.

        Returns
        -------
        Segmentation
            Its maps are the caller's; its probabilities are shared and read-only.

        Raises
        ------
        ValueError
            If classes or settings do not fit, such as settings of another encoding.
        Cancelled
            If ``cancel`` was raised.
        """
        found = self.model.segment(
            self.features,
            classes,
            settings=settings,
            progress=progress,
            cancel=cancel,
            recall=self._memory,
        )
        shared = found.probabilities.view()
        shared.flags.writeable = False
        return replace(
            found,
            probabilities=shared,
            **{
                name: getattr(found, name).copy()
                for name in ("coarse", "regions", "refined", "owners")
            },
        )

    def forget(self) -> None:
        """Let go of all that can be found again from the features."""
        self._memory = Memory(self._mask_limit)

    @property
    def nbytes(self) -> int:
        """Bytes held: the image, its features and all that is remembered."""
        return size_in_memory([self.features]) + self._memory.nbytes
