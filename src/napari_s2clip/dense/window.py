"""One window by any method: dense features, scores, spatial entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from ..classification import window_scores as _window_scores
from ..completion import check_settings, complete_settings, take_settings
from ..features import entropy
from ..features.diagnostics import check_depth
from ..features.methods import WindowFeatures, dense_features, find_method
from ..features.methods.trident import trident_features
from ..features.windows import WindowPlan
from ..models.specs import SPECS
from ..settings import Settings
from .arrays import Floats, to_array, to_tensor
from .inputs import to_clip, to_grid_tokens, to_pixels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..features.entropy import EntropyMode
    from ..models.clip import ClipModel
    from ..models.sam import SamModel

__all__ = ["entropy_of_blocks", "window_features", "window_scores"]


def window_features(
    clip: ClipModel | Any,
    window: NDArray[np.uint8],
    method: str | None = None,
    vfm_tokens: ArrayLike | None = None,
    *,
    settings: Settings | None = None,
    sam: SamModel | None = None,
) -> Floats:
    """Dense features of one window by a method.

    Parameters
    ----------
    clip : ClipModel or open_clip model
        A plain ViT. An open_clip model is of float32, and its pixels are normalised as
        it says itself, by default as OpenAI's.
    window : ndarray of uint8, (H, W, 3)
        RGB; H and W are multiples of the patch.
    method : str, optional
        See `napari_s2clip.features.methods.METHODS`; that of the settings, by default
        ``"s2clip"``.
    vfm_tokens : array_like, (h', w', d'), optional
        Tokens of a vision model for the same window; only a method with a proxy looks
        at them.
    settings : Settings, optional
        What is left open is as for the real models.
    sam : SamModel, optional
        Only for Trident, which aggregates with its attention.

    Returns
    -------
    ndarray of float32, (h, w, d)
        Not normalised; on CLIP's grid, on that of the tokens if the method used them,
        on SAM's for Trident. CLIPer has one map for each block: (L, h, w, d).

    Raises
    ------
    ValueError
        If the window, tokens or settings do not fit.
    """
    model, chosen = _prepare(clip, method, settings)
    found = _encode(model, window, vfm_tokens, chosen, sam)
    return to_array(found.dense[0])


def window_scores(
    clip: ClipModel | Any,
    window: NDArray[np.uint8],
    text: ArrayLike,
    method: str | None = None,
    vfm_tokens: ArrayLike | None = None,
    *,
    classes: int | None = None,
    settings: Settings | None = None,
    sam: SamModel | None = None,
) -> Floats:
    """Scores of every phrase for one window: what the method makes of its features.

    Parameters
    ----------
    clip, window, method, vfm_tokens, settings, sam
        As for `window_features`.
    text : array_like, (Q, d)
        Text vectors of the phrases; normalised here.
    classes : int, optional
        How many phrases, from the first, belong to classes; the others are background
        words. By default all.

    Returns
    -------
    ndarray of float32, (Q, h, w)
        Cosines (before the logit scale); for CLIP Surgery what is left of them, for
        ResCLIP those of its second pass, for CLIPer shares that need no softmax.

    Raises
    ------
    ValueError
        If something does not fit.
    """
    model, chosen = _prepare(clip, method, settings)
    vectors = to_tensor(text, model.device, "text").float()
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"text has the shape {tuple(vectors.shape)}; give (Q, d)")
    count = len(vectors) if classes is None else classes
    if not 1 <= count <= len(vectors):
        raise ValueError(f"classes: {count} is not between 1 and {len(vectors)}")
    found = _encode(model, window, vfm_tokens, chosen, sam)
    dense = F.normalize(found.dense[0].float(), dim=-1)
    if dense.shape[-1] != vectors.shape[-1]:
        raise ValueError(
            f"text has {vectors.shape[-1]} channels and the features have "
            f"{dense.shape[-1]}; use the same CLIP for both"
        )
    scores = _window_scores(
        model,
        dense,
        {name: value[0] for name, value in found.extras.items()},
        torch.from_numpy(np.array(window)).permute(2, 0, 1).to(model.device).float(),
        F.normalize(vectors, dim=-1),
        count,
        chosen,
    )
    return to_array(scores)


def _prepare(
    clip: ClipModel | Any, method: str | None, settings: Settings | None
) -> tuple[ClipModel, Settings]:
    """CLIP as the methods take it, and complete settings."""
    clip = to_clip(clip)
    values = take_settings(settings).model_dump()
    if method is not None:
        values["method"] = method
    chosen = complete_settings(SPECS["vit-b-16"], Settings(**values))
    check_settings(chosen, clip)
    return clip, chosen


def _encode(
    clip: ClipModel,
    window: NDArray[np.uint8],
    vfm_tokens: ArrayLike | None,
    settings: Settings,
    sam: SamModel | None,
) -> WindowFeatures:
    pixels = to_pixels(window, clip.patch_size)
    method = find_method(settings.method)
    tokens = None
    if vfm_tokens is not None:
        tokens = to_grid_tokens(vfm_tokens, clip.device)[None]
    elif method.proxy and settings.proxy:
        raise ValueError(
            f"vfm_tokens: {method.name} needs the tokens of a vision model; give them, "
            "or set proxy=False"
        )
    if method.splice and sam is None:
        raise ValueError(f"sam: {method.name} needs a SamModel")
    hidden = clip.hidden_states(pixels[None], settings.positions)
    found = dense_features(clip, hidden, tokens if settings.proxy else None, settings)
    if not method.splice or sam is None:
        return found
    size = (pixels.shape[0], pixels.shape[1])
    dense = trident_features(
        clip,
        found.dense,
        WindowPlan(size, size, size, ((0, 0),)),
        sam.encode_with_attention(pixels)[1],
        settings.sam_factor,
        negative=settings.sam_negative,
    )
    return WindowFeatures(dense[None])


def entropy_of_blocks(
    clip: ClipModel | Any,
    window: NDArray[np.uint8],
    mode: EntropyMode = "fixed",
    *,
    normalised: bool = False,
) -> Floats:
    """Spatial entropy of what each block but the last puts out: (L - 1,).

    Parameters
    ----------
    clip, window
        As for `window_features`.
    mode : {"fixed", "strict"}
    normalised : bool
        Divide by ln N.

    Raises
    ------
    ValueError
        If the window does not fit, or there is no block but the last.
    """
    model = to_clip(clip)
    check_depth(model)
    hidden = model.hidden_states(to_pixels(window, model.patch_size)[None])
    found = [
        entropy.spatial_entropy(state[:, 1:], mode, normalised=normalised)[0]
        for state in hidden.states
    ]
    return to_array(torch.stack(found))
