"""Model cards: the single models that can be combined, and what is known of each.

Sizes and checksums of SAM's files are those of its official downloads. Where no
checksum is published that we know of, the first download is recorded and later loads
are held to it; see `napari_s2clip.store`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from .parts import PartName

__all__ = ["CARDS", "CLIPS", "SAMS", "VFMS", "ModelCard"]

_HUB: Final = "https://huggingface.co/"


@dataclass(frozen=True)
class ModelCard:
    """One model: which architecture of which library, its weight file, and its use.

    Attributes
    ----------
    role : {"clip", "vfm", "sam"}
    name : str
        Unique, such as ``"sam-b"``.
    title : str
        For people, such as ``"SAM ViT-B"``.
    architecture : str
        Name in the library that builds it: an open_clip configuration, a timm model,
        a key of ``segment_anything.sam_model_registry``, or ``"demo"``.
    filename : str
    folder : str
        Folder of the weight file inside the cache folder.
    repository : str
        Of the Hugging Face Hub, such as ``"timm/vit_base_patch8_224.dino"``; empty if
        the file is not published there.
    url : str
        Address of the file, if it is published somewhere else.
    companions : tuple of str
        Small files of the repository that belong to it.
    path : Path or None
        A file of the user's own, instead of a published one.
    size : int
        Bytes of the file; 0 if not known.
    sha256 : str
        Hexadecimal; empty if no checksum is known, and the card is unverified.
    memory : int
        Bytes of the weights in float32; 0 if not known.
    about : str
        What it is good for.
    licence : str
        SPDX identifier of the weights' licence.
    citation : str
    """

    role: PartName
    name: str
    title: str
    architecture: str
    filename: str
    folder: str = ""
    repository: str = ""
    url: str = ""
    companions: tuple[str, ...] = ()
    path: Path | None = None
    size: int = 0
    sha256: str = ""
    memory: int = 0
    about: str = ""
    licence: str = ""
    citation: str = ""

    @property
    def built_in(self) -> bool:
        """Whether the weights ship inside the package."""
        return self.architecture == "demo"

    @property
    def is_sam(self) -> bool:
        """Whether it is a model of segment_anything, also as fusion model."""
        return self.architecture in {"vit_b", "vit_l", "vit_h"}

    @property
    def source(self) -> str:
        """Page or address where the file is published; empty if it is not."""
        return self.url or (_HUB + self.repository if self.repository else "")

    @property
    def can_be_downloaded(self) -> bool:
        """Whether it is published at an address that is known."""
        return bool(self.url or self.repository) and self.path is None

    @property
    def about_size(self) -> int:
        """Bytes of the file, at least about; 0 if nothing is known."""
        return self.size or self.memory

    @property
    def file_key(self) -> str:
        """The same for cards of one file, such as SAM as fusion model and to refine."""
        if self.path is not None:
            return str(self.path)
        return self.url or f"{self.repository or self.folder}/{self.filename}"

    def same_model(self, other: ModelCard) -> bool:
        """Whether another card, maybe of another role, is the same file."""
        keys = ("architecture", "folder", "filename", "path")
        return all(getattr(self, key) == getattr(other, key) for key in keys)


def _demo(
    role: PartName, name: str, title: str, size: int, memory: int, sha256: str
) -> ModelCard:
    return ModelCard(
        role,
        f"demo-{name}",
        title,
        "demo",
        f"{name}.safetensors",
        size=size,
        sha256=sha256,
        memory=memory,
        about="Answers in a second; knows coloured shapes on textures only.",
        licence="BSD-3-Clause",
    )


def _clip(
    name: str, title: str, architecture: str, repository: str, memory: int, about: str
) -> ModelCard:
    openai = architecture.endswith("quickgelu")
    return ModelCard(
        "clip",
        name,
        title,
        architecture,
        "open_clip_model.safetensors",
        folder=repository.replace("/", "--"),
        repository=repository,
        companions=("open_clip_config.json",),
        memory=memory,
        about=about,
        licence="MIT",
        citation="Radford et al. 2021, Learning Transferable Visual Models From "
        "Natural Language Supervision"
        if openai
        else "Cherti et al. 2023, Reproducible Scaling Laws for Contrastive "
        "Language-Image Learning",
    )


def _timm(
    name: str, title: str, architecture: str, memory: int, about: str
) -> ModelCard:
    second = "dinov2" in architecture
    return ModelCard(
        "vfm",
        name,
        title,
        architecture,
        "model.safetensors",
        folder=f"timm--{architecture}",
        repository=f"timm/{architecture}",
        memory=memory,
        about=about,
        licence="Apache-2.0",
        citation="Oquab et al. 2024, DINOv2: Learning Robust Visual Features without "
        "Supervision"
        if second
        else "Caron et al. 2021, Emerging Properties in Self-Supervised Vision "
        "Transformers",
    )


def _sam(
    name: str, title: str, architecture: str, facts: tuple[str, int, str, int, str]
) -> ModelCard:
    filename, size, sha256, memory, about = facts
    return ModelCard(
        "sam",
        name,
        title,
        architecture,
        filename,
        folder="segment-anything",
        url=f"https://dl.fbaipublicfiles.com/segment_anything/{filename}",
        size=size,
        sha256=sha256,
        memory=memory,
        about=about,
        licence="Apache-2.0",
        citation="Kirillov et al. 2023, Segment Anything",
    )


def _by_name(*cards: ModelCard) -> dict[str, ModelCard]:
    return {card.name: card for card in cards}


DEMO: Final = _by_name(
    _demo(
        "clip",
        "clip",
        "Demo CLIP",
        18981170,
        37940484,
        "bfbaeaf886a2880eec2b4fb1fe0d3aea314986b362ad401eb79564f846f05645",
    ),
    _demo(
        "vfm",
        "dino",
        "Demo DINO",
        1678216,
        3346944,
        "3a44d9193aecac420c10648776dab5d9d45463b1e62d4ca68eaf7e7376c22893",
    ),
    _demo(
        "sam",
        "sam",
        "Demo SAM",
        2417856,
        4789304,
        "0d1ec431e46b93a998d35c4b144fda637f334599cf3dbdef7cf7858ad99ce9e0",
    ),
)
"""The models that ship inside the package."""

CLIPS: Final = _by_name(
    _clip(
        "clip-b-16",
        "CLIP ViT-B/16 (OpenAI)",
        "ViT-B-16-quickgelu",
        "timm/vit_base_patch16_clip_224.openai",
        598482948,
        "The paper's main model; the fastest CLIP here.",
    ),
    _clip(
        "clip-l-14",
        "CLIP ViT-L/14 (OpenAI)",
        "ViT-L-14-quickgelu",
        "timm/vit_large_patch14_clip_224.openai",
        1710466052,
        "Finer patches and more words than ViT-B/16, at three times its size.",
    ),
    _clip(
        "clip-h-14",
        "CLIP ViT-H/14 (LAION-2B)",
        "ViT-H-14",
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        3944437764,
        "Knows most words; wants a GPU.",
    ),
)
"""CLIPs by name."""

SAMS: Final = _by_name(
    _sam(
        "sam-b",
        "SAM ViT-B",
        "vit_b",
        (
            "sam_vit_b_01ec64.pth",
            375042383,
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            374942912,
            "The paper's SAM; the fastest here.",
        ),
    ),
    _sam(
        "sam-l",
        "SAM ViT-L",
        "vit_l",
        (
            "sam_vit_l_0b3195.pth",
            1249524607,
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            1249372352,
            "Nearly the edges of ViT-H at half its size.",
        ),
    ),
    _sam(
        "sam-h",
        "SAM ViT-H",
        "vit_h",
        (
            "sam_vit_h_4b8939.pth",
            2564550879,
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            2564363456,
            "The best edges; wants a GPU.",
        ),
    ),
)
"""Models that refine, by name."""

VFMS: Final = _by_name(
    _timm(
        "dino-s-16",
        "DINO ViT-S/16",
        "vit_small_patch16_224.dino",
        86662656,
        "The smallest and fastest fusion model.",
    ),
    _timm(
        "dino-s-8",
        "DINO ViT-S/8",
        "vit_small_patch8_224.dino",
        86681088,
        "Small files, fine patches.",
    ),
    _timm(
        "dino-b-16",
        "DINO ViT-B/16",
        "vit_base_patch16_224.dino",
        343194624,
        "Four times faster than ViT-B/8, with coarser patches.",
    ),
    _timm(
        "dino-b-8",
        "DINO ViT-B/8",
        "vit_base_patch8_224.dino",
        343231488,
        "The paper's fusion model: the finest patches.",
    ),
    _timm(
        "dinov2-s-14",
        "DINOv2 ViT-S/14",
        "vit_small_patch14_dinov2.lvd142m",
        88224768,
        "Small; groups by meaning more than by edges.",
    ),
    _timm(
        "dinov2-b-14",
        "DINOv2 ViT-B/14",
        "vit_base_patch14_dinov2.lvd142m",
        346318848,
        "Groups by meaning more than by edges.",
    ),
    replace(
        SAMS["sam-b"],
        role="vfm",
        name="sam-b-16",
        title="SAM ViT-B/16 encoder",
        about="One file for fusion and refinement; slow.",
    ),
)
"""Fusion models by name, those of the paper's Table 2."""

CARDS: Final[dict[str, ModelCard]] = {**DEMO, **CLIPS, **VFMS, **SAMS}
"""All cards by name."""
