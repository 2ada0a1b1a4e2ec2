"""Scores of every phrase on the resized image: window by window, then averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from ..features.methods import Method, find_method
from ..features.windows import WindowPlan, cut_windows, resize
from .feedback import second_pass
from .scoring import branch_shares, cosines, feature_surgery

if TYPE_CHECKING:
    from ..features.encode import ImageFeatures
    from ..models.clip import ClipModel
    from ..settings import Settings

__all__ = ["PhraseScores", "average_windows", "phrase_scores", "window_scores"]


@dataclass(frozen=True)
class PhraseScores:
    """Scores of every phrase.

    Attributes
    ----------
    maps : Tensor of float32, (Q, H', W')
        On the resized image.
    are_shares : bool
        Whether they are proportional to probabilities already; else they are logits.
    """

    maps: Tensor
    are_shares: bool


def average_windows(maps: Iterable[Tensor], plan: WindowPlan) -> Tensor:
    """Maps of every window, bilinear to its size, averaged where windows overlap.

    Parameters
    ----------
    maps : iterable of Tensor, each (Q, h, w)
        One a window, in order.
    plan : WindowPlan

    Returns
    -------
    Tensor of float32, (Q, H', W')
        On the resized image.
    """
    height, width = plan.window
    total: Tensor | None = None
    hits: Tensor | None = None
    for scores, (top, left) in zip(maps, plan.corners, strict=True):
        fine = F.interpolate(
            scores[None], plan.window, mode="bilinear", align_corners=False
        )[0]
        if total is None or hits is None:
            total = fine.new_zeros((len(fine), *plan.size))
            hits = fine.new_zeros(plan.size)
        total[:, top : top + height, left : left + width] += fine
        hits[top : top + height, left : left + width] += 1
    assert total is not None
    assert hits is not None
    return total / hits


def needs_pixels(method: Method, settings: Settings) -> bool:
    """Whether the scores of a method depend on the window's pixels too."""
    return method.scoring == "feedback" and settings.feedback


def window_scores(
    clip: ClipModel,
    dense: Tensor,
    extras: dict[str, Tensor],
    image: Tensor | None,
    text: Tensor,
    classes: int,
    settings: Settings,
) -> Tensor:
    """Scores of one window by the method of the settings.

    Parameters
    ----------
    clip : ClipModel
    dense : Tensor, (h, w, d) or (branches, h, w, d)
        Unit vectors.
    extras : dict of str to Tensor
        The method's, of this window.
    image : Tensor, (3, H, W), or None
        The window; only `needs_pixels` looks at it.
    text : Tensor, (Q, d)
        Unit vectors; phrases of classes first, background words after them.
    classes : int
        How many phrases belong to classes.
    settings : Settings
        Complete.

    Returns
    -------
    Tensor, (Q, h, w)
        Logits, or shares for CLIPer.
    """
    method = find_method(settings.method).adapted(settings)
    assert settings.logit_scale is not None
    if method.scoring == "branches":
        scale = settings.logit_scale
        return branch_shares(dense, text, classes, extras["affinity"], scale)
    if needs_pixels(method, settings):
        assert image is not None
        tokens, cross = extras["tokens"], extras["cross"]
        return second_pass(clip, dense, tokens, cross, image, text, settings, method)
    logits = cosines(dense, text)
    if method.scoring == "surgery" and settings.feature_surgery:
        return feature_surgery(logits, extras["class_token"], text)
    return logits


def phrase_scores(
    clip: ClipModel,
    features: ImageFeatures,
    text: Tensor,
    classes: int,
    settings: Settings,
    on_window: Callable[[int, int], None] = lambda done, total: None,
) -> PhraseScores:
    """Scores of every phrase on the resized image.

    Parameters
    ----------
    clip : ClipModel
    features : ImageFeatures
    text : Tensor, (Q, d)
        Unit vectors; phrases of classes first, background words after them.
    classes : int
        How many phrases belong to classes.
    settings : Settings
        Complete.
    on_window : callable
        Called with windows done and windows in all.
    """
    method: Method = find_method(settings.method)
    plan, count = features.plan, len(features.plan.corners)
    resized = None
    if needs_pixels(method, settings):
        resized = resize(features.image, plan.size)

    def one(number: int) -> Tensor:
        on_window(number, count)
        image = None
        if resized is not None:
            window = cut_windows(resized, plan, slice(number, number + 1))[0]
            image = torch.from_numpy(window).permute(2, 0, 1).to(text.device).float()
        return window_scores(
            clip,
            features.dense[number],
            {name: value[number] for name, value in features.extras.items()},
            image,
            text,
            classes,
            settings,
        )

    maps = average_windows((one(number) for number in range(count)), plan)
    return PhraseScores(maps, method.scoring == "branches")
