"""Who answers prompts: SAM, with the embeddings of the last few pictures."""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from .progress import CancelToken, Progress, ProgressCallback, Reporter
from .prompting import Found, Prompts, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .image import RGBImage
    from .pipeline import S2CLIP

__all__ = ["Embeddings", "ModelEngine", "PromptEngine", "predict"]


class PromptEngine(Protocol):
    """The model behind the prompts; both methods are called in a thread."""

    def embed(
        self, image: RGBImage, progress: ProgressCallback, cancel: CancelToken
    ) -> Any:
        """Encode an image."""

    def predict(
        self, embedding: Any, **prompts: Any
    ) -> tuple[NDArray[np.bool_], float]:
        """Mask of the image and score; see `napari_s2clip.refine.refine_prompt`."""


class ModelEngine:
    """The SAM of a model of the pipeline.

    Parameters
    ----------
    model : S2CLIP
    """

    def __init__(self, model: S2CLIP) -> None:
        self._model = model

    def embed(
        self, image: RGBImage, progress: ProgressCallback, cancel: CancelToken
    ) -> Any:
        """Encode an image; the weights are loaded if they were not."""
        report = Reporter(progress, cancel)
        report("refine", 0, 1, "SAM image embedding")
        embedding = self._model.models.sam.encode(image.pixels)
        progress(Progress("refine", 1, 1))
        return embedding

    def predict(
        self, embedding: Any, **prompts: Any
    ) -> tuple[NDArray[np.bool_], float]:
        """Mask of the image and score."""
        from .refine.click import refine_prompt

        return refine_prompt(self._model.models.sam, embedding, **prompts)


class Embeddings:
    """Embeddings of the last few pictures, found by content.

    Parameters
    ----------
    limit : int
        How many are kept; with SAM's own sizes each takes 4 MB.
    """

    def __init__(self, limit: int = 8) -> None:
        self._limit = limit
        self._kept: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        engine: PromptEngine,
        image: RGBImage,
        progress: ProgressCallback,
        cancel: CancelToken,
    ) -> Any:
        """The embedding of a picture, made now if it is not kept.

        Raises
        ------
        Cancelled
            If ``cancel`` was raised. What was nearly done is kept.
        """
        key = _key(image.pixels)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        embedding = engine.embed(image, progress, cancel)
        self._put(key, embedding)
        cancel.raise_if_cancelled()
        return embedding

    def put(self, image: RGBImage, embedding: Any) -> None:
        """Keep one that was made elsewhere, such as in a run."""
        self._put(_key(image.pixels), embedding)

    def clear(self) -> None:
        """Forget all, as when the model is another one."""
        with self._lock:
            self._kept.clear()

    def _put(self, key: bytes, embedding: Any) -> None:
        with self._lock:
            self._kept[key] = embedding
            self._kept.move_to_end(key)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)


def _key(pixels: NDArray[np.uint8]) -> bytes:
    digest = blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.data)
    return digest.digest()


def predict(
    engine: PromptEngine, embedding: Any, prompts: Prompts, window: Window
) -> Found:
    """What SAM makes of prompts in an encoded window of the plane."""
    mask, score = engine.predict(embedding, **prompts.arguments(window))
    return Found(window, mask, score)
