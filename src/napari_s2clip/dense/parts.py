"""Attention parts, similarities and spatial entropy, each on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        Rows and columns of the patches, h * w = N; for ``sigma``.
    sigma : float, optional
        Standard deviation of the neighbourhood, in patches.

    Returns
    -------
    ndarray, (heads, N, N)
        Float64 if the vectors are, else float32.

    Raises
    ------
    ValueError
        If the part is unknown or shapes do not fit.
    """
    q, k, v = (to_tensor(x) for x in (queries, keys, values))
    if q.ndim != 3 or not q.shape == k.shape == v.shape:
        raise ValueError(
            f"queries, keys and values have the shapes {tuple(q.shape)}, "
            f"{tuple(k.shape)} and {tuple(v.shape)}; give (heads, N, d_head) each"
        )
    s = q.shape[2] ** -0.5 if scale is None else scale
    nearness = None
    if sigma is not None:
        if grid is None or grid[0] * grid[1] != q.shape[1]:
            raise ValueError(f"grid: {grid} does not hold {q.shape[1]} patches")
        nearness = attention.gaussian_neighbourhood(grid, sigma).to(q)
    vectors = {"qq": q, "kk": k, "vv": v}
    if part in vectors:
        return to_array(attention.self_attention(vectors[part], s, nearness))
    if part == "qk":
        return to_array(attention.query_key_attention(q, k, s))
    if part == "identity":
        return to_array(torch.eye(q.shape[1], dtype=q.dtype).expand(len(q), -1, -1))
    raise ValueError(
        f"part: no attention {part!r}; choose one of identity, qk, {', '.join(vectors)}"
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
