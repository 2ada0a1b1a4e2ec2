"""The models that can be chosen by name, as plain tables.

A specification names three parts (CLIP, a vision model, SAM) and the window geometry
that suits them. The real ones follow the paper's appendix: DINO ViT-B/8 and SAM ViT-B
with every CLIP (Table 2 and section "implementation"), 448 px short side, windows of
336 px every 112 px (public configurations of the methods it builds on).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ["SPECS", "ModelSpec", "Part", "PartName", "find_spec"]

PartName: TypeAlias = Literal["clip", "vfm", "sam"]


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


@dataclass(frozen=True)
class ModelSpec:
    """Three parts that work together, and the settings that suit them.

    The settings are those of `napari_s2clip.Settings` with the same names.
    """

    name: str
    title: str
    description: str
    clip: Part
    vfm: Part
    sam: Part
    short_side: int = 448
    window: int = 336
    stride: int = 112
    smoothing_threshold: float = 0.4
    cls_weight: float = 0.3
    repair_outliers: bool = True
    proxy_gamma: float = 3.0

    def complete(self, settings: Settings) -> Settings:
        """Fill the settings that are left to the model (None) with its own."""
        missing = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(settings, field.name, ...) is None
        }
        return settings.model_copy(update=missing)

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """CLIP, vision model, SAM."""
        return (self.clip, self.vfm, self.sam)

    @property
    def built_in(self) -> bool:
        """Whether all weights ship inside the package."""
        return all(part.built_in for part in self.parts)


_HUB: Final = "https://huggingface.co/"


def _clip(title: str, architecture: str, repository: str) -> Part:
    return Part(
        "clip",
        title,
        architecture,
        repository.replace("/", "--"),
        "open_clip_model.safetensors",
        _HUB + repository,
    )


_DINO_B8 = Part(
    "vfm",
    "DINO ViT-B/8",
    "vit_base_patch8_224.dino",
    "timm--vit_base_patch8_224.dino",
    "model.safetensors",
    _HUB + "timm/vit_base_patch8_224.dino",
)

_SAM_B = Part(
    "sam",
    "SAM ViT-B",
    "vit_b",
    "segment-anything",
    "sam_vit_b_01ec64.pth",
    "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
)

SPECS: Final[dict[str, ModelSpec]] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            "demo",
            "Demo (built in)",
            "Three tiny models that ship with the plugin and answer in a second. They "
            "know coloured shapes on textures only.",
            Part("clip", "Demo CLIP", "demo", "", "clip.safetensors"),
            Part("vfm", "Demo DINO", "demo", "", "dino.safetensors"),
            Part("sam", "Demo SAM", "demo", "", "sam.safetensors"),
            short_side=160,
            window=64,
            stride=32,
            # Its class token outweighs the patches, the few tokens that differ most are
            # small objects, and its DINO's similarities differ little.
            cls_weight=0.0,
            repair_outliers=False,
            proxy_gamma=40.0,
        ),
        ModelSpec(
            "vit-b-16",
            "CLIP ViT-B/16",
            "The paper's main model: OpenAI CLIP ViT-B/16, DINO ViT-B/8, SAM ViT-B.",
            _clip(
                "CLIP ViT-B/16 (OpenAI)",
                "ViT-B-16-quickgelu",
                "timm/vit_base_patch16_clip_224.openai",
            ),
            _DINO_B8,
            _SAM_B,
        ),
        ModelSpec(
            "vit-l-14",
            "CLIP ViT-L/14",
            "OpenAI CLIP ViT-L/14, DINO ViT-B/8, SAM ViT-B.",
            _clip(
                "CLIP ViT-L/14 (OpenAI)",
                "ViT-L-14-quickgelu",
                "timm/vit_large_patch14_clip_224.openai",
            ),
            _DINO_B8,
            _SAM_B,
        ),
        ModelSpec(
            "vit-h-14",
            "CLIP ViT-H/14",
            "OpenCLIP ViT-H/14 (LAION-2B), DINO ViT-B/8, SAM ViT-B.",
            _clip(
                "CLIP ViT-H/14 (LAION-2B)",
                "ViT-H-14",
                "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
            ),
            _DINO_B8,
            _SAM_B,
        ),
    )
}
"""Specifications by name."""


def find_spec(spec: str | ModelSpec) -> ModelSpec:
    """A specification by name; `ValueError` lists the names if there is none."""
    if isinstance(spec, ModelSpec):
        return spec
    if spec not in SPECS:
        raise ValueError(
            f"spec: no model {spec!r}; choose one of {', '.join(SPECS)}, or give a "
            "ModelSpec"
        )
    return SPECS[spec]
