"""Spatial entropy of every block of CLIP for an image (Algorithm 1, Figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..models.memory import in_chunks
from .encode import windows_at_once
from .entropy import (
    EntropyMode,
    channel_correlation,
    gini_coefficient,
    spatial_distribution,
    spatial_entropy,
)
from .windows import cut_windows, plan_windows, resize

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ..models.clip import ClipModel
    from ..models.load import Models
    from ..progress import Reporter
    from ..settings import Settings

__all__ = ["check_depth", "entropy_by_block"]


def check_depth(clip: ClipModel) -> None:
    """Refuse a CLIP without a block whose entropy could be told: all but the last."""
    if clip.n_blocks < 2:
        raise ValueError(
            "clip: it has one block, and there is no entropy of the last one; give a "
            "CLIP of two blocks or more"
        )


def entropy_by_block(
    models: Models,
    image: NDArray[np.uint8],
    settings: Settings,
    report: Reporter,
    *,
    mode: EntropyMode = "fixed",
    diagnostics: bool = False,
) -> pd.DataFrame:
    """Spatial entropy of what each block but the last puts out, mean over the windows.

    Parameters
    ----------
    models : Models
    image : ndarray of uint8, (H, W, 3)
    settings : Settings
        Complete; they say how the image is cut into windows.
    report : Reporter
    mode : {"fixed", "strict"}
        See `features.entropy.spatial_distribution`.
    diagnostics : bool
        Also the Gini coefficient (mean over the channels) and the correlation of the
        channels, which Algorithm 1 computes but does not use.

    Returns
    -------
    pandas.DataFrame
        One row a block (from 0): ``block``, ``entropy`` in nats, ``normalised``
        (divided by ln N), and with ``diagnostics`` ``gini`` and ``correlation``.

    Raises
    ------
    ValueError
        If there is no block but the last.
    """
    import pandas as pd

    check_depth(models.clip)
    size = (image.shape[0], image.shape[1])
    plan = plan_windows(size, settings, models.clip.patch_size)
    resized = resize(image, plan.size)

    def run(part: slice) -> NDArray[np.float64]:
        windows = cut_windows(resized, plan, part)
        hidden = models.clip.hidden_states(windows, settings.positions)
        rows = []
        for state in hidden.states:
            tokens = state[:, 1:].float()
            figures = [
                spatial_entropy(tokens, mode),
                spatial_entropy(tokens, mode, normalised=True),
            ]
            if diagnostics:
                spread = spatial_distribution(tokens, mode)
                figures += [
                    gini_coefficient(spread).mean(1),
                    channel_correlation(spread),
                ]
            rows.append(np.stack([f.cpu().double().numpy() for f in figures], -1))
        return np.stack(rows, 1)

    found = in_chunks(
        run,
        len(plan.corners),
        windows_at_once(models, plan.window, False),
        models.clip.device,
        "window",
        lambda done, total: report("encode", done, total, "entropy"),
    )
    mean = np.concatenate(found).mean(0)
    names = ["entropy", "normalised", "gini", "correlation"][: mean.shape[1]]
    table = pd.DataFrame(mean, columns=names)
    table.insert(0, "block", np.arange(len(table)))
    return table
