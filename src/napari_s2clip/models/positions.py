"""Position embeddings for windows of another grid than the model was trained on."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Positions", "resample_positions"]

Positions: TypeAlias = Literal["bicubic", "offset", "antialias", "bilinear"]

_OFFSET: Final = 0.1
"""Patches added to the wanted grid, so that rounding never loses a row of it."""


def resample_positions(
    table: Tensor,
    native: tuple[int, int],
    grid: tuple[int, int],
    how: Positions = "bicubic",
) -> Tensor:
    """Resample a table of positions, class token first, to a grid.

    Parameters
    ----------
    table : Tensor, (1 + H0 * W0, width)
    native : (int, int)
        H0, W0: rows and columns the table was made for.
    grid : (int, int)
        h, w: rows and columns wanted.
    how : {"bicubic", "offset", "antialias", "bilinear"}
        ``"bicubic"`` maps the borders of the grids onto each other.

        ``"offset"`` is bicubic with the scale (h + 0.1) / H0, (w + 0.1) / W0, which
        shifts the positions a little: the convention of DINO's code (Caron et al.
        2021), which SCLIP, ClearCLIP, NACLIP and ProxyCLIP have taken over.

        ``"antialias"`` is bicubic with a low-pass filter where the grid shrinks:
        open_clip's own way of loading weights of another image size, and GEM's.

        ``"bilinear"`` is what CLIPer (Sun et al. 2024) does.

    Returns
    -------
    Tensor, (1 + h * w, width)
        The table itself if the grid is its own; the class token's row is never
        changed.

    Raises
    ------
    ValueError
        If ``how`` is none of these.
    """
    if how not in get_args(Positions):
        raise ValueError(
            f"positions is {how!r}; choose one of {', '.join(get_args(Positions))}"
        )
    if grid == native:
        return table
    patches = table[1:].T.reshape(1, -1, *native)
    options: dict[str, Any] = {"size": grid}
    if how == "offset":
        scale = [(n + _OFFSET) / own for n, own in zip(grid, native, strict=True)]
        options = {"scale_factor": scale, "recompute_scale_factor": False}
    mode = "bilinear" if how == "bilinear" else "bicubic"
    patches = F.interpolate(
        patches, mode=mode, align_corners=False, antialias=how == "antialias", **options
    )
    return torch.cat([table[:1], patches.flatten(2)[0].T])
