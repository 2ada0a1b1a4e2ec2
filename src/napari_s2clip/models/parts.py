"""The single models that can be combined, and the names of number formats."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

__all__ = [
    "DINO_B8",
    "SAMS",
    "SAM_B",
    "VFMS",
    "Computed",
    "Part",
    "PartName",
    "Precision",
    "clip_part",
]

PartName: TypeAlias = Literal["clip", "vfm", "sam"]

Computed: TypeAlias = Literal["fp32", "bf16", "fp16"]
"""Number formats by name."""

Precision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16"]
"""What can be asked for."""

_HUB: Final = "https://huggingface.co/"


@dataclass(frozen=True)
class Part:
    """One model: which architecture of which library, and its weight file.

    Attributes
    ----------
    role : {"clip", "vfm", "sam"}
    title : str
        For people, such as ``"CLIP ViT-B/16 (OpenAI)"``.
    architecture : str
        Name in the library that builds it: an open_clip configuration, a timm model,
        a key of ``segment_anything.sam_model_registry``, or ``"demo"``.
    folder : str
        Folder of the weight file inside the store.
    filename : str
    source : str
        Page or address where the file is published; empty for built-in models.
    """

    role: PartName
    title: str
    architecture: str
    folder: str
    filename: str
    source: str = ""

    @property
    def built_in(self) -> bool:
        """Whether the weights ship inside the package."""
        return self.architecture == "demo"

    @property
    def is_sam(self) -> bool:
        """Whether it is a model of segment_anything, also as fusion model."""
        return self.architecture in {"vit_b", "vit_l", "vit_h"}

    def same_model(self, other: Part) -> bool:
        """Whether another part, maybe of another role, is the same file."""
        return (self.architecture, self.folder, self.filename) == (
            other.architecture,
            other.folder,
            other.filename,
        )


def clip_part(title: str, architecture: str, repository: str) -> Part:
    """A CLIP of open_clip whose weights lie in a repository of the Hugging Face Hub."""
    return Part(
        "clip",
        title,
        architecture,
        repository.replace("/", "--"),
        "open_clip_model.safetensors",
        _HUB + repository,
    )


def _sam(title: str, architecture: str, filename: str) -> Part:
    return Part(
        "sam",
        title,
        architecture,
        "segment-anything",
        filename,
        f"https://dl.fbaipublicfiles.com/segment_anything/{filename}",
    )


SAMS: Final[dict[str, Part]] = {
    "sam-b": _sam("SAM ViT-B", "vit_b", "sam_vit_b_01ec64.pth"),
    "sam-l": _sam("SAM ViT-L", "vit_l", "sam_vit_l_0b3195.pth"),
    "sam-h": _sam("SAM ViT-H", "vit_h", "sam_vit_h_4b8939.pth"),
}
"""Models that refine, by name."""

SAM_B: Final = SAMS["sam-b"]


def _timm(title: str, architecture: str) -> Part:
    return Part(
        "vfm",
        title,
        architecture,
        f"timm--{architecture}",
        "model.safetensors",
        f"{_HUB}timm/{architecture}",
    )


VFMS: Final[dict[str, Part]] = {
    "dino-s-16": _timm("DINO ViT-S/16", "vit_small_patch16_224.dino"),
    "dino-s-8": _timm("DINO ViT-S/8", "vit_small_patch8_224.dino"),
    "dino-b-16": _timm("DINO ViT-B/16", "vit_base_patch16_224.dino"),
    "dino-b-8": _timm("DINO ViT-B/8", "vit_base_patch8_224.dino"),
    "dinov2-s-14": _timm("DINOv2 ViT-S/14", "vit_small_patch14_dinov2.lvd142m"),
    "dinov2-b-14": _timm("DINOv2 ViT-B/14", "vit_base_patch14_dinov2.lvd142m"),
    "sam-b-16": replace(SAM_B, role="vfm", title="SAM ViT-B/16 encoder"),
}
"""Fusion models by name, those of the paper's Table 2."""

DINO_B8: Final = VFMS["dino-b-8"]
