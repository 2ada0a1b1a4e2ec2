"""Attention parts, similarities and spatial entropy, each on its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..features import attention, entropy, proxy
from .arrays import Floats, to_array, to_tensor, to_tokens

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..features.entropy import EntropyMode
    from ..methods import Part

__all__ = [
    "attention_weights",
    "channel_correlation",
    "gini_coefficient",
    "proxy_attention",
    "similarity_attention",
    "spatial_entropy",
]


def attention_weights(
    part: Part,
    queries: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    scale: float | None = None,
    grid: tuple[int, int] | None = None,
    sigma: float | None = None,
) -> Floats:
    """One attention part: rows that sum to 1.

    ``"identity"``: I; ``"qk"``: softmax(s q kᵀ); ``"qq"``, ``"kk"``, ``"vv"``:
    softmax(s x xᵀ + G), with the Gaussian neighbourhood G if ``sigma`` is given.

    Parameters
    ----------
    part : str
    queries, keys, values : array_like, (heads, N, d_head)
    scale : float, optional
        s, by default d_head^-½.
    grid : (int, int), optional
        Rows and columns of the patches, h * w = N; needed with ``sigma``.
    sigma : float, optional
        Standard deviation of the neighbourhood, in patches, more than 0; only for
        ``"qq"``, ``"kk"`` and ``"vv"``.

    Returns
    -------
    ndarray, (heads, N, N)
        Float64 if the vectors are, else float32.

    Raises
    ------
    ValueError
        If the part is unknown, shapes do not fit, or the part takes no ``sigma``.
    """
    q, k, v = (
        to_tensor(x, name=name)
        for name, x in (("queries", queries), ("keys", keys), ("values", values))
    )
    if q.ndim != 3 or not q.shape == k.shape == v.shape:
        raise ValueError(
            f"queries, keys and values have the shapes {tuple(q.shape)}, "
            f"{tuple(k.shape)} and {tuple(v.shape)}; give (heads, N, d_head) each"
        )
    s = q.shape[2] ** -0.5 if scale is None else scale
    vectors = {"qq": q, "kk": k, "vv": v}
    if part not in vectors and part not in {"identity", "qk"}:
        raise ValueError(
            f"part: no attention {part!r}; choose one of identity, qk, "
            f"{', '.join(vectors)}"
        )
    if grid is not None:
        _check_grid(grid, q.shape[1])
    nearness = None
    if sigma is not None:
        _check_sigma(sigma)
        if part not in vectors:
            raise ValueError(
                f"sigma: {part} has no neighbourhood; leave sigma out, or choose one "
                f"of {', '.join(vectors)}"
            )
        if grid is None:
            raise ValueError("grid: sigma needs the rows and columns of the patches")
        nearness = attention.gaussian_neighbourhood(grid, sigma).to(q)
    if part in vectors:
        return to_array(attention.self_attention(vectors[part], s, nearness))
    if part == "qk":
        return to_array(attention.query_key_attention(q, k, s))
    return to_array(torch.eye(q.shape[1], dtype=q.dtype).expand(len(q), -1, -1))


def _check_grid(grid: object, count: int) -> None:
    sides = grid if isinstance(grid, (tuple, list)) else ()
    whole = [n for n in sides if isinstance(n, (int, np.integer)) and n > 0]
    if not len(sides) == len(whole) == 2 or math.prod(map(int, whole)) != count:
        raise ValueError(
            f"grid: {grid!r} is not rows and columns of {count} patches; give two "
            f"positive whole numbers whose product is {count}"
        )


def _check_sigma(sigma: object) -> None:
    # NaN is not more than 0 either.
    number = isinstance(sigma, (int, float, np.integer, np.floating))
    if not number or not 0 < float(sigma) < math.inf:  # type: ignore[arg-type]
        raise ValueError(
            f"sigma: {sigma!r} is not a length in patches; give a number more than 0, "
            "or None for no neighbourhood"
        )


def similarity_attention(tokens: ArrayLike, gamma: float = 3.0) -> Floats:
    """softmax₊(γ (S − mean S)) of the cosines S of tokens: (N, d) to (N, N)."""
    similarity = attention.cosine_similarity(to_tokens(tokens)[None])
    return to_array(attention.similarity_attention(similarity, gamma)[0])


def proxy_attention(tokens: ArrayLike, beta: float = 1.2, gamma: float = 3.0) -> Floats:
    """softmax₊(γ (S − β mean S)) of the cosines S of tokens: (N, d) to (N, N)."""
    return to_array(proxy.proxy_attention(to_tokens(tokens)[None], beta, gamma)[0])


def spatial_entropy(
    tokens: ArrayLike, mode: EntropyMode = "fixed", *, normalised: bool = False
) -> float:
    """Spatial entropy of patch tokens (N, C), Algorithm 1.

    See `napari_s2clip.features.entropy.spatial_entropy`.
    """
    found = entropy.spatial_entropy(
        to_tokens(tokens)[None], mode, normalised=normalised
    )
    return float(found[0])


def gini_coefficient(tokens: ArrayLike, mode: EntropyMode = "fixed") -> Floats:
    """Gini coefficient of each channel of tokens (N, C): (C,)."""
    spread = entropy.spatial_distribution(to_tokens(tokens)[None], mode)
    return to_array(entropy.gini_coefficient(spread)[0])


def channel_correlation(tokens: ArrayLike, mode: EntropyMode = "fixed") -> float:
    """Mean correlation of two channels of tokens (N, C), -1 to 1."""
    spread = entropy.spatial_distribution(to_tokens(tokens)[None], mode)
    return float(entropy.channel_correlation(spread)[0])
