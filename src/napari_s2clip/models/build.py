"""Build the models of the libraries and fill in their weights."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..demo import architectures
from .fitting import fill_weights

if TYPE_CHECKING:
    from pathlib import Path

    from .cards import ModelCard

__all__ = ["build", "clip_tokenizer"]


def build(card: ModelCard, path: Path | None) -> nn.Module:
    """The model of a card, with the weights of a file.

    Without a file the weights are random, but the same every time.

    Raises
    ------
    ValueError
        If the file holds no weights or does not fit the architecture.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if card.role == "clip":
            model = _build_clip(card)
        elif card.role == "vfm" and not card.is_sam:
            model = _build_vision_model(card)
        else:
            model = _build_sam(card)
    if path is not None:
        fill_weights(model, card, path)
    return model


_OF_RANDOM_WEIGHTS = re.compile(
    # The second is what version 3.0 says.
    r"No pretrained weights loaded for model|Model .* initialized partially\.$"
)


@contextmanager
def _no_word_of_random_weights() -> Iterator[None]:
    """Drop open_clip's warning that a model has none; they are filled in afterwards."""
    thread = threading.get_ident()

    def passes(record: logging.LogRecord) -> bool:
        # What others build at the same time is their own concern.
        return record.thread != thread or not _OF_RANDOM_WEIGHTS.match(str(record.msg))

    root = logging.getLogger()  # open_clip has no logger of its own
    root.addFilter(passes)
    try:
        yield
    finally:
        root.removeFilter(passes)


def _build_clip(card: ModelCard) -> nn.Module:
    if card.built_in:
        demo: nn.Module = architectures.build_clip()
        return demo
    import open_clip

    with _no_word_of_random_weights():
        model: nn.Module = open_clip.create_model(
            card.architecture, pretrained=None, load_weights=False
        )
    return model


def clip_tokenizer(card: ModelCard) -> Callable[[list[str]], Tensor]:
    """What turns texts into token ids (T, context) for the CLIP of a card."""
    import open_clip

    if card.built_in:
        context = architectures.CLIP_CONFIG["text_cfg"]["context_length"]
        tokenizer: Callable[[list[str]], Tensor] = open_clip.SimpleTokenizer(
            context_length=context
        )
    else:
        tokenizer = open_clip.get_tokenizer(card.architecture)
    return tokenizer


def _build_vision_model(card: ModelCard) -> nn.Module:
    if card.built_in:
        return architectures.build_dino()
    import timm

    model: nn.Module = timm.create_model(
        card.architecture, pretrained=False, num_classes=0, dynamic_img_size=True
    )
    return model


def _build_sam(card: ModelCard) -> nn.Module:
    if card.built_in:
        demo: nn.Module = architectures.build_sam()
        return demo
    from segment_anything import sam_model_registry

    model: nn.Module = sam_model_registry[card.architecture](checkpoint=None)
    return model
