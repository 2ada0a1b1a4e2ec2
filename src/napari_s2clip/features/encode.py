"""Stage 1: an image to dense features, independent of any class name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..method_settings import needed_parts, needs_vfm
from ..models.memory import free_memory, in_chunks
from .methods import Method, WindowFeatures, dense_features, find_method
from .methods.trident import trident_features
from .proxy import mean_similarity
from .windows import WindowPlan, cut_windows, plan_windows, resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..models.load import Models
    from ..models.parts import PartName
    from ..models.sam import SamEmbedding
    from ..progress import Reporter
    from ..settings import Settings

__all__ = [
    "ImageFeatures",
    "encode_image",
    "needed_parts",
    "needs_vfm",
    "windows_at_once",
]

_TOKENS_AT_ONCE = {"cpu": 4096, "cuda": 1 << 17, "mps": 1 << 15}
"""Patches of the finer grid in one batch of windows; more make nothing faster."""


@dataclass
class ImageFeatures:
    """All that can be known about an image before a class is named.

    Attributes
    ----------
    image : ndarray of uint8, (H, W, 3)
        What the models saw.
    notes : tuple of str
        How it was made from the given data, and resized otherwise than asked for.
    dense : Tensor of float32, (windows, h, w, d) or (windows, branches, h, w, d)
        Unit vectors.
    plan : WindowPlan
    settings : Settings
        Those of the stage "encode" are fixed by these features.
    model : dict
        Origin of the models; features of one model do not fit another.
    extras : dict of str to Tensor, each (windows, …)
        What else the method's scores need.
    sam : SamEmbedding or None
        Filled in when refinement is asked for first.
    """

    image: NDArray[np.uint8]
    notes: tuple[str, ...]
    dense: Tensor
    plan: WindowPlan
    settings: Settings
    model: Mapping[PartName, Mapping[str, str]]
    extras: dict[str, Tensor] = field(default_factory=dict)
    sam: SamEmbedding | None = None

    def __repr__(self) -> str:
        height, width = self.image_size
        model = self.model.get("clip", {}).get("title", "unknown model")
        return (
            f"ImageFeatures({height} × {width} px, windows={len(self.dense)}, "
            f"method={self.settings.method!r}, model={model!r})"
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        return self.plan.image_size


def windows_at_once(
    models: Models, window: tuple[int, int], with_vfm: bool = True
) -> int:
    """How many windows are encoded together, at least 1.

    What one needs is estimated from above: the hidden states, six attention maps of
    CLIP, what the vision model says, and two dozen tensors of values on its grid. All
    windows together may take half of the free memory.
    """
    clip = models.clip
    count = 1 + math.prod(clip.grid(window))
    fine = math.prod(models.vfm.grid(window)) if with_vfm else 0
    width, heads = clip.width, clip.last.heads
    needed = 4 * (
        (clip.n_blocks + 16) * count * width + 6 * heads * count**2 + 24 * fine * width
    )
    if with_vfm:
        needed += models.vfm.working_memory(window)
    device = clip.device
    fitting = free_memory(device) // 2 // needed
    enough = _TOKENS_AT_ONCE[device.type] // max(count, fine)
    return int(max(1, min(fitting, enough)))


def encode_image(
    models: Models,
    image: NDArray[np.uint8],
    settings: Settings,
    report: Reporter,
    notes: tuple[str, ...] = (),
) -> ImageFeatures:
    """Encode uint8 RGB (H, W, 3) window by window, then with SAM if it will refine.

    Windows are batched to fit into memory; the batch is halved when it does not. The
    settings must be complete (`complete_settings`).

    Raises
    ------
    torch.cuda.OutOfMemoryError
        If memory does not suffice for a single window.
    """
    height, width = image.shape[:2]
    method = find_method(settings.method)
    plan = plan_windows((height, width), settings, models.clip.patch_size)
    resized = resize(image, plan.size)
    count = len(plan.corners)
    with_sam = settings.refine or method.splice
    steps = count + with_sam

    def progress(done: int, total: int) -> None:
        if done < total:
            report("encode", done, steps, f"window {done + 1} of {total}")

    found = in_chunks(
        _Encoder(models, resized, plan, settings, method),
        count,
        windows_at_once(models, plan.window, needs_vfm(settings)),
        models.clip.device,
        "window",
        progress,
    )
    features = ImageFeatures(
        image,
        notes,
        torch.cat([part.dense for part in found]),
        plan,
        settings,
        models.origin,
        {
            name: torch.cat([part.extras[name] for part in found])
            for name in found[0].extras
        },
    )
    if with_sam:
        report("encode", steps - 1, steps, "SAM image embedding")
    if method.splice:
        _join_windows(features, models, settings)
    elif settings.refine:
        features.sam = models.sam.encode(image)
    report("encode", steps, steps)
    return features


class _Encoder:
    """Some of an image's windows to features."""

    def __init__(
        self,
        models: Models,
        resized: NDArray[np.uint8],
        plan: WindowPlan,
        settings: Settings,
        method: Method,
    ) -> None:
        self._models = models
        self._resized = resized
        self._plan = plan
        self._settings = settings
        self._method = method
        self._mean: Tensor | None = None
        if method.splice and method.proxy and settings.variant == "code":
            self._mean = self._mean_of_all()

    def _windows(self, part: slice) -> NDArray[np.uint8]:
        return cut_windows(self._resized, self._plan, part)

    def _mean_of_all(self) -> Tensor:
        """Mean similarity over all windows (Trident's code)."""
        means = [
            mean_similarity(
                self._models.vfm.tokens(self._windows(slice(i, i + 1))).flatten(1, 2)
            )
            for i in range(len(self._plan.corners))
        ]
        return torch.cat(means).mean(0, keepdim=True)

    def __call__(self, part: slice) -> WindowFeatures:
        windows = self._windows(part)
        models, settings = self._models, self._settings
        wanted = needs_vfm(settings)
        found = dense_features(
            models.clip,
            models.clip.hidden_states(windows, settings.positions),
            models.vfm.tokens(windows) if wanted else None,
            settings,
            self._mean,
        )
        if self._method.splice:  # not yet in the space of the texts
            return found
        return replace(found, dense=F.normalize(found.dense.float(), dim=-1))


def _join_windows(features: ImageFeatures, models: Models, settings: Settings) -> None:
    """One map of the whole image instead of windows, by SAM's attention."""
    features.sam, attention = models.sam.encode_with_attention(features.image)
    dense = trident_features(
        models.clip,
        features.dense,
        features.plan,
        attention,
        settings.sam_factor,
        negative=settings.sam_negative,
    )
    features.dense = F.normalize(dense[None], dim=-1)
    features.plan = features.plan.whole()
