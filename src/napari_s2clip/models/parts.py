"""The single models that can be combined, as plain tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["DINO_B8", "SAM_B", "Part", "PartName", "clip_part"]

PartName: TypeAlias = Literal["clip", "vfm", "sam"]

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


DINO_B8: Final = Part(
    "vfm",
    "DINO ViT-B/8",
    "vit_base_patch8_224.dino",
    "timm--vit_base_patch8_224.dino",
    "model.safetensors",
    _HUB + "timm/vit_base_patch8_224.dino",
)

SAM_B: Final = Part(
    "sam",
    "SAM ViT-B",
    "vit_b",
    "segment-anything",
    "sam_vit_b_01ec64.pth",
    "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
)
