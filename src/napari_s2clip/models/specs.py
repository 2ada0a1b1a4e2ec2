"""The models that can be chosen by name, as plain tables.

A specification names three parts (CLIP, a vision model, SAM) and the window geometry
that suits them. The real ones follow the paper's appendix: DINO ViT-B/8 and SAM ViT-B
with every CLIP (Table 2 and section "implementation"), 448 px short side, windows of
336 px every 112 px (public configurations of the methods it builds on).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from ..method_settings import takes
from .cards import CLIPS, DEMO, SAMS, VFMS, ModelCard
from .parts import PartName, Precision

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = [
    "PRESETS",
    "SAMS",
    "SPECS",
    "VFMS",
    "ModelSpec",
    "PartName",
    "Precision",
    "titles",
]


@dataclass(frozen=True)
class ModelSpec:
    """Three parts that work together, and the settings that suit them.

    The settings are those of `napari_s2clip.Settings` with the same names; `precision`
    is what `S2CLIP.load` takes ``"auto"`` for.
    """

    name: str
    title: str
    description: str
    clip: ModelCard
    vfm: ModelCard
    sam: ModelCard
    short_side: int = 448
    window: int = 336
    stride: int = 112
    smoothing_threshold: float = 0.4
    cls_weight: float = 0.3
    repair_outliers: bool = True
    proxy_gamma: float = 3.0
    precision: Precision = "auto"

    def complete(self, settings: Settings) -> Settings:
        """Fill the settings that are left to the model (None) with its own.

        What does not act on the method stays open.
        """
        missing = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(settings, field.name, ...) is None
            and takes(settings, field.name)
        }
        return settings.model_copy(update=missing)

    def with_vfm(self, name: str | ModelCard) -> ModelSpec:
        """The same with another fusion model.

        Parameters
        ----------
        name : str or ModelCard
            A key of `VFMS`, or a card; `napari_s2clip.models.find` finds the user's.

        Raises
        ------
        ValueError
            If there is no such name.
        """
        vfm = _known(name, VFMS, "vfm", "fusion model")
        if vfm == self.vfm:
            return self
        return replace(
            self,
            description=titles(self.clip, vfm, self.sam),
            vfm=vfm,
            # What a specification changes here, it does for its own fusion model.
            proxy_gamma=type(self).proxy_gamma,
        )

    def with_sam(self, name: str | ModelCard) -> ModelSpec:
        """The same with another SAM to refine.

        Parameters
        ----------
        name : str or ModelCard
            A key of `SAMS`, or a card; `napari_s2clip.models.find` finds the user's.

        Raises
        ------
        ValueError
            If there is no such name.
        """
        sam = _known(name, SAMS, "sam", "SAM")
        if sam == self.sam:
            return self
        return replace(self, description=titles(self.clip, self.vfm, sam), sam=sam)

    @property
    def parts(self) -> tuple[ModelCard, ModelCard, ModelCard]:
        """CLIP, vision model, SAM."""
        return (self.clip, self.vfm, self.sam)

    @property
    def built_in(self) -> bool:
        """Whether all weights ship inside the package."""
        return all(part.built_in for part in self.parts)


SPECS: Final[dict[str, ModelSpec]] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            "demo",
            "Demo (built in)",
            "Three tiny models that ship with the plugin and answer in a second. They "
            "know coloured shapes on textures only.",
            DEMO["demo-clip"],
            DEMO["demo-dino"],
            DEMO["demo-sam"],
            short_side=160,
            window=64,
            stride=32,
            # Its class token outweighs the patches, the few tokens that differ most are
            # small objects, and its DINO's similarities differ little.
            cls_weight=0.0,
            repair_outliers=False,
            proxy_gamma=40.0,
            # Small enough, and its results are the same everywhere.
            precision="fp32",
        ),
        ModelSpec(
            "fast",
            "Fast",
            "CLIP ViT-B/16, DINO ViT-S/16, SAM ViT-B: the least to download and to "
            "compute.",
            CLIPS["clip-b-16"],
            VFMS["dino-s-16"],
            SAMS["sam-b"],
        ),
        ModelSpec(
            "balanced",
            "Balanced (the paper's)",
            "CLIP ViT-B/16, DINO ViT-B/8, SAM ViT-B: the paper's main models.",
            CLIPS["clip-b-16"],
            VFMS["dino-b-8"],
            SAMS["sam-b"],
        ),
        ModelSpec(
            "best",
            "Best",
            "CLIP ViT-H/14, DINO ViT-B/8, SAM ViT-H: the most words and the best "
            "edges; wants a GPU.",
            CLIPS["clip-h-14"],
            VFMS["dino-b-8"],
            SAMS["sam-h"],
        ),
        ModelSpec(
            "vit-b-16",
            "CLIP ViT-B/16",
            "The paper's main model: OpenAI CLIP ViT-B/16, DINO ViT-B/8, SAM ViT-B.",
            CLIPS["clip-b-16"],
            VFMS["dino-b-8"],
            SAMS["sam-b"],
        ),
        ModelSpec(
            "vit-l-14",
            "CLIP ViT-L/14",
            "OpenAI CLIP ViT-L/14, DINO ViT-B/8, SAM ViT-B.",
            CLIPS["clip-l-14"],
            VFMS["dino-b-8"],
            SAMS["sam-b"],
        ),
        ModelSpec(
            "vit-h-14",
            "CLIP ViT-H/14",
            "OpenCLIP ViT-H/14 (LAION-2B), DINO ViT-B/8, SAM ViT-B.",
            CLIPS["clip-h-14"],
            VFMS["dino-b-8"],
            SAMS["sam-b"],
        ),
    )
}
"""Specifications by name: `PRESETS`, then each CLIP with the paper's other models."""

PRESETS: Final = ("demo", "fast", "balanced", "best")
"""Names of the specifications that are chosen for a purpose."""


def titles(*cards: ModelCard) -> str:
    """What describes models that have no words of their own together."""
    return f"{', '.join(card.title for card in cards)}."


def _known(
    name: str | ModelCard, cards: dict[str, ModelCard], role: PartName, what: str
) -> ModelCard:
    card = name if isinstance(name, ModelCard) else cards.get(name)
    if card is None or card.role != role:
        raise ValueError(
            f"{role}: no {what} {getattr(name, 'name', name)!r}; choose one of "
            f"{', '.join(cards)}"
        )
    return card
