"""Train the demo DINO without labels, by self-distillation on whole crops and patches.

A student sees a colour-jittered, partly masked view and must predict what a teacher,
the student's moving average, makes of another jitter of the same crop: for the class
token (Caron et al. 2021, DINO, Eq. 2) and for each masked patch (Zhou et al. 2022,
iBOT, Eq. 3). Teacher outputs are centred by Sinkhorn-Knopp (3 rounds), as in DINOv2.
The scenes' labels are never read.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..architectures import DINO_CONFIG, build_dino
from .crops import Uint8Image, batch_tensor, crop_scene, random_scene
from .fitting import Recipe, fit, start_from

__all__ = ["RECIPE", "train"]

RECIPE = Recipe(steps=1300, batch=48, learning_rate=1e-3, weight_decay=0.05)

SCENE_SIZE = 192
CROPS_PER_SCENE = 6
SIDE: int = DINO_CONFIG["img_size"]
WIDTH: int = DINO_CONFIG["embed_dim"]
PROTOTYPES = 48
STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.05
MASKED = 0.4
"""Share of patches that the student does not see."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Head(nn.Module):
    """Projection to prototypes of unit length (DINO, section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(WIDTH, 256), nn.GELU(), nn.Linear(256, 64))
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, 64))

    def forward(self, tokens: Tensor) -> Tensor:
        unit = F.normalize(self.body(tokens), dim=-1)
        return unit @ F.normalize(self.prototypes, dim=-1).T


class _Learner(nn.Module):
    """The transformer with its mask token and its head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = build_dino()
        self.head = _Head()
        self.mask_token = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, pixels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Prototype scores (B, 1 + N, K); masked patches are replaced first."""
        net = self.backbone
        tokens = net.patch_embed(pixels)
        if mask is not None:
            hole = self.mask_token.to(tokens.dtype)
            tokens = torch.where(mask.view(*tokens.shape[:-1], 1), hole, tokens)
        # timm has no public step from patches to the blocks.
        tokens = net.norm_pre(net._pos_embed(tokens))  # noqa: SLF001
        tokens = net.norm(net.blocks(tokens))
        scores: Tensor = self.head(tokens)
        return scores


def _jitter(images: list[Uint8Image], rng: np.random.Generator) -> list[Uint8Image]:
    """Brightness, contrast and colour balance, a little different for each image."""
    out = []
    for image in images:
        gain = rng.uniform(0.8, 1.2) * rng.normal(1, 0.05, 3)
        shift = rng.uniform(-20, 20)
        noise = rng.uniform(0, 8) * rng.standard_normal(image.shape, dtype=np.float32)
        out.append(np.clip(image * gain + shift + noise, 0, 255).astype(np.uint8))
    return out


def _crops(rng: np.random.Generator, count: int) -> list[Uint8Image]:
    drawn = (random_scene(SCENE_SIZE, rng) for _ in range(count // CROPS_PER_SCENE))
    return [
        crop_scene(scene, SIDE, rng, (0.3, 0.9)).image
        for scene in drawn
        for _ in range(CROPS_PER_SCENE)
    ]


def _views(crops: list[Uint8Image], rng: np.random.Generator) -> list[Tensor]:
    """Two jitters of the same crops, each (B, 3, SIDE, SIDE)."""
    return [
        batch_tensor(_jitter(crops, rng), IMAGENET_MEAN, IMAGENET_STD) for _ in range(2)
    ]


@torch.no_grad()
def _sinkhorn(scores: Tensor, rounds: int = 3) -> Tensor:
    """Teacher targets (N, K): rows sum to 1, prototypes are used equally often."""
    targets = torch.exp((scores - scores.max()) / TEACHER_TEMPERATURE).T
    targets /= targets.sum()
    for _ in range(rounds):
        targets /= targets.sum(1, keepdim=True).clamp(min=1e-12) * len(targets)
        targets /= targets.sum(0, keepdim=True).clamp(min=1e-12) * targets.shape[1]
    return (targets * targets.shape[1]).T


def _around(targets: Tensor) -> Tensor:
    """Mean of the targets (B, N, K) of a patch and its 8 neighbours.

    What lies side by side is mostly of one kind (Isola et al. 2015): without it the
    prototypes split a texture into its grains.
    """
    side = round(targets.shape[1] ** 0.5)
    maps = targets.transpose(1, 2).unflatten(2, (side, side))  # type: ignore[no-untyped-call]
    mean = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
    return mean.flatten(2).transpose(1, 2)


def _cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    return -(targets * (scores / STUDENT_TEMPERATURE).log_softmax(-1)).sum(-1).mean()


def train(out: Path, recipe: Recipe = RECIPE, start: Path | None = None) -> None:
    """Train; write the teacher to ``out``; go on from the weights in ``start``."""
    from .export import save_model

    torch.manual_seed(recipe.seed)
    student = _Learner().train()
    start_from(student.backbone, start, "dino.safetensors")
    teacher = copy.deepcopy(student).requires_grad_(False)
    patches = (SIDE // DINO_CONFIG["patch_size"]) ** 2

    def step_loss(
        rng: np.random.Generator, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        crops = _crops(rng, recipe.batch)
        views = _views(crops, rng)
        mask = torch.from_numpy(rng.random((len(crops), patches)) < MASKED)
        with (
            torch.autocast("cpu", dtype=torch.bfloat16),
            sdpa_kernel(SDPBackend.MATH),
        ):
            seen = student(views[0], mask).float()
            with torch.no_grad():
                goal = teacher(views[1]).float()
        whole = _cross_entropy(seen[:, 0], _sinkhorn(goal[:, 0]))
        patch_goal = _around(_sinkhorn(goal[:, 1:].flatten(0, 1)).view_as(goal[:, 1:]))
        each = -(patch_goal * (seen[:, 1:] / STUDENT_TEMPERATURE).log_softmax(-1)).sum(
            -1
        )
        # Masked patches carry the task; the visible ones keep tokens invariant.
        patch = each[mask].mean() + 0.5 * each[~mask].mean()
        return whole + patch, {"patch": float(each[mask].mean().detach())}

    @torch.no_grad()
    def follow(step: int) -> None:
        keep = 1 - (1 - 0.99) * (np.cos(np.pi * step / recipe.steps) + 1) / 2
        for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    def checkpoint(folder: Path) -> None:
        save_model(teacher.backbone, folder / "dino.safetensors")

    fit(
        "dino",
        recipe,
        student.named_parameters(),
        step_loss,
        checkpoint,
        out,
        after_step=follow,
    )
