"""What the recipes share: how weights start, how they are moved, logged and saved."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["WHITENING", "Recipe", "fit", "log", "start_from", "whiten"]

log = logging.getLogger("napari_s2clip.demo.train")


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float = 0.05
    warmup: int = 100
    seed: int = 0


WHITENING = 0.02
"""Added to the variances of patches, in squared units of the normalised pixel."""


def whiten(stem: torch.nn.Conv2d, pixels: Tensor) -> None:
    """Start a patch embedding as a rotated whitening of patches of ``pixels``.

    A patch is mostly its mean colour; with random filters its edges, a hundredth of the
    variance, are lost behind it and shapes are learnt late. `WHITENING` keeps the noise
    down. The rotation spreads the components over all channels.
    """
    width, side = stem.out_channels, stem.kernel_size[0]
    patches = F.unfold(pixels, side, stride=side).transpose(1, 2)
    patches = patches.reshape(-1, patches.shape[-1])
    variance, vectors = torch.linalg.eigh(patches.T.cov())
    strongest = slice(max(0, len(variance) - width), None)
    scale = (variance[strongest] + WHITENING).rsqrt()
    white = (vectors[:, strongest] * scale).T
    rotation = torch.linalg.qr(torch.randn(width, len(white)))[0]
    with torch.no_grad():
        stem.weight.copy_((rotation @ white).view_as(stem.weight))


def start_from(model: torch.nn.Module, folder: Path | None, file: str) -> None:
    """Fill ``model`` with the weights of an earlier training, if a folder is given."""
    if folder is None:
        return
    from safetensors.torch import load_file

    state = {k: v.float() for k, v in load_file(folder / file).items()}
    model.load_state_dict(state)


def _learning_rate(recipe: Recipe, step: int) -> float:
    warm = min(1.0, (step + 1) / recipe.warmup)
    return (
        recipe.learning_rate
        * warm
        * (0.51 + 0.49 * float(np.cos(np.pi * step / recipe.steps)))
    )


def _is_hidden(name: str, parameter: torch.nn.Parameter) -> bool:
    """Whether a parameter is a matrix between layers of a transformer."""
    inside = "blocks." in name or "transformer." in name
    return inside and name.endswith("weight") and parameter.ndim == 2


def _optimisers(
    named: list[tuple[str, torch.nn.Parameter]],
    recipe: Recipe,
    rate: Callable[[str], float],
) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for hidden matrices, AdamW for all else.

    Muon needs a third of AdamW's steps until these small models tell shapes apart. Its
    steps are scaled to AdamW's size (Liu et al. 2025): one learning rate serves both.
    """
    if not hasattr(torch.optim, "Muon"):
        raise RuntimeError(
            "training the demo models needs torch 2.9 or newer for its Muon optimiser; "
            f"this is torch {torch.__version__}"
        )
    groups: dict[bool, dict[float, list[torch.nn.Parameter]]] = {True: {}, False: {}}
    for name, parameter in named:
        of_kind = groups[_is_hidden(name, parameter)]
        of_kind.setdefault(rate(name), []).append(parameter)
    hidden, other = (
        [{"params": members, "rate": r} for r, members in groups[kind].items()]
        for kind in (True, False)
    )
    return [
        torch.optim.Muon(
            hidden,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            other,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
        ),
    ]


def fit(
    name: str,
    recipe: Recipe,
    named: Iterable[tuple[str, torch.nn.Parameter]],
    step_loss: Callable[[np.random.Generator, int], tuple[Tensor, dict[str, float]]],
    checkpoint: Callable[[Path], None],
    out: Path,
    after_step: Callable[[int], None] | None = None,
    rate: Callable[[str], float] = lambda name: 1.0,
) -> None:
    """Train with warm-up and a cosine schedule; write a checkpoint now and then.

    ``rate`` gives each named parameter's share of the learning rate.
    """
    named = list(named)
    optimisers = _optimisers(named, recipe, rate)
    rng = np.random.default_rng(recipe.seed)
    started = time.monotonic()
    running: dict[str, float] = {}
    for step in range(recipe.steps):
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(recipe, step) * group["rate"]
            optimiser.zero_grad(set_to_none=True)
        loss, figures = step_loss(rng, step)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
        for optimiser in optimisers:
            optimiser.step()
        if after_step is not None:
            after_step(step)
        figures = {"loss": float(loss.detach()), **figures}
        for key, value in figures.items():
            running[key] = 0.95 * running.get(key, value) + 0.05 * value
        if step % 20 == 0 or step + 1 == recipe.steps:
            shown = " ".join(f"{k} {v:.4f}" for k, v in running.items())
            log.info(
                "%s %d/%d %.0fs %s",
                name,
                step,
                recipe.steps,
                time.monotonic() - started,
                shown,
            )
        if step % 100 == 99 or step + 1 == recipe.steps:
            checkpoint(out)
