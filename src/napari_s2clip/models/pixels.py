"""Mean and standard deviation of the pixels that a CLIP was trained with."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .cards import ModelCard

__all__ = ["Statistics", "clip_statistics"]

log = logging.getLogger(__name__)

Statistics: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of red, green and blue in 0 to 1."""

_BESIDE = "open_clip_config.json"
"""open_clip's description of a weight file, published in the same folder."""


def clip_statistics(part: ModelCard, visual: Any, path: Path | None) -> Statistics:
    """What the weights were trained with.

    That is in ``open_clip_config.json`` beside the weight file; without one it is what
    open_clip has put on the image tower, else what OpenAI's models take.

    Parameters
    ----------
    part : ModelCard
    visual : torch.nn.Module
        The image tower that open_clip has built.
    path : Path or None
        The weight file.

    Returns
    -------
    (mean, std)
        Three numbers each.

    Raises
    ------
    ValueError
        If the file beside the weights cannot be read.
    """
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    beside = None if path is None else path.with_name(_BESIDE)
    if beside is not None and beside.is_file():
        return _read(beside)
    if path is not None and _weights_differ(part.architecture):
        log.warning(
            "%s: published weights of it were trained with different means of the "
            "pixels; put %s beside %s, or OpenAI's are taken",
            part.title,
            _BESIDE,
            path.name,
        )
    mean = getattr(visual, "image_mean", None) or OPENAI_DATASET_MEAN
    std = getattr(visual, "image_std", None) or OPENAI_DATASET_STD
    return tuple(mean), tuple(std)


def _read(path: Path) -> Statistics:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["preprocess_cfg"]
        mean, std = (tuple(map(float, found[name])) for name in ("mean", "std"))
        if not len(mean) == len(std) == 3:
            raise ValueError("they are not three numbers each")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"weights['clip']: {path} does not tell mean and std of the pixels "
            f"({type(error).__name__}: {error}); get it again, or remove it"
        ) from error
    return mean, std


def _weights_differ(architecture: str) -> bool:
    """Whether open_clip knows weights of one name with different statistics."""
    from open_clip import get_pretrained_cfg, list_pretrained_tags_by_model

    tags = list_pretrained_tags_by_model(architecture)
    known = [get_pretrained_cfg(architecture, tag) for tag in tags]
    return len({(cfg.get("mean"), cfg.get("std")) for cfg in known}) > 1
